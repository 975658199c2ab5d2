#pragma once

#include "agent/guard/config/guard_config.h"
#include "agent/guard/thermal/detector.h"

namespace firebreak::guard::thermal {

struct BlindState {
  std::int64_t started_ns =
      0;  ///< First step ever: with no reading at all, the age counts from it.
};

/// Silence while a heater is hot or may be: warn at 5 s, trip at min(15 s, (limit + 50 K - T) /
/// fastest rise), never under 5 s. Unknown is hot: never a reading, no number, a target above 0 or
/// on its way. A heater that was cold with target 0 when last heard is not blind, only silent
/// (switched off); a warning after a minute.
class BlindDetector final : public Detector {
 public:
  BlindDetector(const HeaterProfile& profile, BlindState& state) noexcept;
  Finding step(const HeaterView& view) noexcept override;

  /// Seconds without a temperature after which it is a trip, from the last reading (NaN = none).
  [[nodiscard]] double longest_s(float celsius) const noexcept;
  [[nodiscard]] bool possibly_hot(const HeaterView& view) const noexcept;

 private:
  float limit_;
  float safe_;
  float rise_;
  BlindState& state_;
};

}  // namespace firebreak::guard::thermal
