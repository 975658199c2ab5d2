#pragma once

#include "agent/guard/config/guard_config.h"
#include "agent/guard/thermal/detector.h"

namespace firebreak::guard::thermal {

struct BlindState {
  /// First step ever: with no reading at all, the age counts from it.
  std::int64_t started_ns = 0;
  std::int64_t last_at_ns = 0;  ///< Of the reading before; 0 = none yet.
  float interval_s = 0;         ///< Between readings, as this source keeps it; 0 = not known yet.
  float before = unknown;       ///< The reading before the last, °C.
  float last = unknown;
};

/// Silence while a heater is hot or may be: warn at max(5 s, 2.5 times the interval that its source
/// keeps), trip at min(15 s, (limit + 50 K - T) / fastest rise), never under 5 s. The trip does not
/// wait for a slow source, and the warning is never later than the trip. Unknown is hot: never a
/// reading, no number, a target above 0 or on its way. A heater that was cold with target 0 when
/// last heard is not blind, only silent (switched off); a warning after a minute.
///
/// Network printers (docs/safety.md): an access point that reboots must not stop a farm. 60 s while
/// the heater held its target, or did not rise without one, and its firmware is known to protect
/// itself; else 15 s, also when it was cold: what others tell it meanwhile, nobody sees. Klipper
/// that restarts with every target at 0: 30 s.
class BlindDetector final : public Detector {
 public:
  BlindDetector(const HeaterProfile& profile, BlindState& state) noexcept;
  Finding step(const HeaterView& view) noexcept override;

  /// Seconds without a temperature after which it is a trip, from the last reading (NaN = none).
  [[nodiscard]] double longest_s(const HeaterView& view) const noexcept;
  [[nodiscard]] bool possibly_hot(const HeaterView& view) const noexcept;

 private:
  void learn_interval(const HeaterView& view) noexcept;
  [[nodiscard]] bool steady(const HeaterView& view) const noexcept;
  [[nodiscard]] double warn_s() const noexcept;

  float limit_;
  float safe_;
  float rise_;
  float steady_kelvin_;
  BlindState& state_;
};

}  // namespace firebreak::guard::thermal
