#pragma once

#include <cstdint>
#include <string_view>

#include "agent/guard/core/shared.h"
#include "agent/guard/machine/cause.h"

namespace firebreak::guard::thermal {

/// What one step sees of one heater's wire. Times are CLOCK_MONOTONIC in ns, 0 = never.
struct CurrentView {
  std::int64_t now_ns = 0;
  float amps = unknown;
  std::int64_t amps_at_ns = 0;
  float target_celsius = unknown;
  float duty = unknown;             ///< 0…1.
  std::int64_t reported_at_ns = 0;  ///< When the firmware told target and duty.
  bool relay_open = false;          ///< The relay of this heater is commanded open …
  std::int64_t relay_since_ns = 0;  ///< … or closed, since then.
  bool stopped = false;             ///< Latched, or the relay open: no current is our own doing.
};

/// Plain data, in memory that outlives the guard.
struct CurrentState {
  std::int64_t seen_at_ns = 0;   ///< Of the last reading taken in.
  std::int64_t on_since_ns = 0;  ///< Amps flow since; 0 = they do not.
  std::int64_t open_since_ns = 0;
  std::int64_t told_at_ns = 0;  ///< Report that said high duty last.
  std::int64_t first_look_ns = 0;
  std::uint32_t readings = 0;  ///< In a row of the present kind.
  std::uint32_t found = 0;     ///< The rule that holds, for the onset.
};

struct CurrentFinding {
  std::string_view rule;  ///< "current.stuck-on", "current.none", "current.stale", or empty.
  std::string_view sentence;
  bool trips = false;
  bool onset = false;
  Cause cause = Cause::stuck_on;
};

/// D8, current against command: amps while the firmware says target 0 and duty 0, or while the
/// relay is open, are a switch that is stuck on (1 s); no amps at high duty are an open heater
/// (3 s). Needs no temperature and no model. Monitor thread, 10 Hz; no allocation, no lock.
class CurrentDetector {
 public:
  explicit CurrentDetector(CurrentState& state) noexcept : state_(&state) {}
  CurrentFinding step(const CurrentView& view) noexcept;

 private:
  [[nodiscard]] bool stuck_on(const CurrentView& view) const noexcept;
  [[nodiscard]] bool heater_open(const CurrentView& view) noexcept;
  void take(const CurrentView& view) noexcept;

  CurrentState* state_;
};

}  // namespace firebreak::guard::thermal
