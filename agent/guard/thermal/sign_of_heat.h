#pragma once

#include <array>
#include <cstdint>
#include <type_traits>

#include "agent/guard/config/guard_config.h"
#include "agent/guard/core/shared.h"
#include "agent/guard/thermal/settled_rise.h"
#include "agent/guard/thermal/thermal_monitor.h"

namespace firebreak::guard::thermal {

/// Plain data of one SignOfHeat.
struct SignOfHeatState {
  std::int64_t begun_ns = 0;  ///< 0 = not watching.
  std::array<std::int64_t, max_heaters> seen_ns{};
  std::array<std::int64_t, max_heaters> own_seen_ns{};
  std::array<SettledRiseState, max_heaters> rise{};
  std::array<SettledRiseState, max_heaters> own_rise{};
};
static_assert(std::is_trivially_copyable_v<SignOfHeatState>);

/// Bits of what was seen.
namespace sign {
inline constexpr std::uint32_t rise = 1U << 0;    ///< Over 5 K above the lowest since the latch.
inline constexpr std::uint32_t target = 1U << 1;  ///< A target > 0 in a report after the grace.
inline constexpr std::uint32_t duty = 1U << 2;    ///< A duty > 0 likewise.
}  // namespace sign

/// Heat where there must be none: on a latched printer, and on probation. Reports within 2 s of
/// the begin may have been on their way and are no sign by their target or duty; the lag of a
/// sensor that was climbing at the stop is allowed for (constants.h). A doubted sensor's rise
/// counts too. Monitor thread; no allocation after construction.
class SignOfHeat {
 public:
  SignOfHeat(const PrinterProfile& profile, SignOfHeatState& state);

  /// Begins to watch (or anew). `settled`: the heaters have had no power for a while, as when a
  /// relay is about to close on probation: no lag is allowed for.
  void begin(std::int64_t now_ns, bool settled = false) noexcept;
  void end() noexcept { state_ = {}; }
  [[nodiscard]] bool running() const noexcept { return state_.begun_ns != 0; }

  /// Bits of `sign` that hold now; 0 when not watching.
  std::uint32_t step(const StepInput& input, const PrinterReadings& readings) noexcept;

 private:
  std::array<HeaterKind, max_heaters> kinds_{};
  std::array<float, max_heaters> fastest_{};
  std::size_t count_ = 0;
  SignOfHeatState& state_;
};

}  // namespace firebreak::guard::thermal
