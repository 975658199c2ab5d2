#pragma once

#include <array>
#include <cstdint>
#include <type_traits>

#include "agent/guard/config/guard_config.h"
#include "agent/guard/core/shared.h"
#include "agent/guard/thermal/constants.h"
#include "agent/guard/thermal/thermal_monitor.h"

namespace firebreak::guard::thermal {

/// What a stop remembers of one sensor. Plain data.
struct CoolingTrack {
  float start = unknown;    ///< Reading at the stop; where there was none, the first after it.
  float highest = unknown;  ///< Since the stop.
  std::int64_t highest_at_ns = 0;
  std::int64_t last_at_ns = 0;  ///< Last reading taken in; readings before the stop do not count.
  float last = unknown;
  std::uint32_t readings = 0;  ///< Since the stop.
  std::uint32_t changes = 0;   ///< Readings that differed from the one before.
};

/// Plain data of one CoolingProof, in memory that outlives a restart.
struct CoolingState {
  std::int64_t begun_ns = 0;  ///< 0 = no stop is being watched.
  std::int64_t window_ns = 0;
  std::uint32_t provable = 0;   ///< 1 unless some heater would need more than 60 s.
  std::uint32_t maybe_hot = 0;  ///< Bit per heater: not known to be cold at the stop.
  std::array<CoolingTrack, max_heaters> reported{};
  std::array<CoolingTrack, max_heaters> own{};
};
static_assert(std::is_trivially_copyable_v<CoolingState>);

/// What the readings say about the end of heat since the stop.
struct CoolingResult {
  /// Every heater's target read back as 0, in a report that came after the stop.
  bool acknowledged = false;
  /// Every heater cooled, or was cold and stayed so, on readings that nothing doubts. Proof after
  /// a software stop only.
  bool cooled = false;
  /// The same by the board's own sensors for every heater that may have been hot: an independent
  /// source, proof after any stop.
  bool cooled_elsewhere = false;
  bool risen = false;            ///< Some reading is more than 3 K over its value at the stop.
  bool target_positive = false;  ///< A report after the stop (and its grace) shows a target.
};

/// Watches the readings from a stop on. Monitor thread only; no allocation after construction.
/// A reading of a doubted sensor is never proof, nor one that never changes after the firmware
/// said that it has halted, nor one older than 3 s; a rise is evidence from any sensor.
class CoolingProof {
 public:
  CoolingProof(const PrinterProfile& profile, CoolingState& state);

  /// A stop begins (or begins again: the watch starts anew; whoever keeps the deadline must not).
  void begin(const StepInput& input, const PrinterReadings& readings,
             const ThermalMonitor& monitor) noexcept;

  /// One step. `halted`: the firmware has said so; what it printed before is no news.
  CoolingResult step(const StepInput& input, const PrinterReadings& readings,
                     const ThermalMonitor& monitor, bool halted) noexcept;

  void end() noexcept { state_ = {}; }
  [[nodiscard]] bool running() const noexcept { return state_.begun_ns != 0; }

  /// Cooling window of this stop; 0 when it is not provable by cooling at all.
  [[nodiscard]] std::int64_t window_ns() const noexcept {
    return state_.provable != 0 ? state_.window_ns : 0;
  }

  /// max(8 s hotend, 25 s bed, lag + 3 quanta / (0.3 expected rate)) for a heater that is at
  /// `celsius` now; for a cold one 8 s or 25 s. May be longer than the 60 s that are provable.
  /// The rate is the learned model's where there is one.
  static double window_s(HeaterKind kind, float celsius, float quantum,
                         const HeaterModel& model = {}) noexcept;

 private:
  struct Heater {
    HeaterKind kind = HeaterKind::hotend;
    float safe = 0;
  };
  [[nodiscard]] bool fell(const Heater& heater, const HeaterModel& model, const CoolingTrack& track,
                          float quantum, std::int64_t now_ns) const noexcept;
  [[nodiscard]] bool stayed_cold(const Heater& heater, const CoolingTrack& track,
                                 std::int64_t now_ns) const noexcept;

  std::array<Heater, max_heaters> heaters_{};
  std::size_t count_ = 0;
  CoolingState& state_;
};

}  // namespace firebreak::guard::thermal
