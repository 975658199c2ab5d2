#pragma once

#include "agent/guard/config/guard_config.h"
#include "agent/guard/thermal/detector.h"

namespace firebreak::guard::thermal {

struct OvershootState {
  float target = 0;
  float first = 0;                   ///< First reading of the excess.
  std::int64_t excess_since_ns = 0;  ///< 0 = none.
  std::uint32_t readings = 0;        ///< Of the excess.
  float mark = 0;                    ///< A reading some seconds ago, to know the slope.
  std::int64_t mark_at_ns = 0;
  float lag_kelvin = 0;    ///< What the sensor's lag may add after it crossed the target.
  std::uint8_t above = 0;  ///< The last reading was above the target.
  std::uint8_t armed = 0;  ///< The reading was within reach of this target before.
  Rule found = Rule::none;
};

/// Over a steady target by more than `overshoot_kelvin` for 5 s, and still rising (or not falling
/// at duty 0): the switch is stuck. A reading that crosses its target on a steep heat-up may go
/// further by its slope times the longest lag of its kind. A lowered target arms it only after the
/// reading came down, so that cooling is life; heat during that cooling is the idle rule's.
class OvershootDetector final : public Detector {
 public:
  OvershootDetector(const HeaterProfile& profile, OvershootState& state) noexcept;
  Finding step(const HeaterView& view) noexcept override;

 private:
  Rule judge(const HeaterView& view) noexcept;
  void follow_slope(const HeaterView& view) noexcept;

  float kelvin_;
  float lag_s_;
  float fastest_;
  OvershootState& state_;
};

}  // namespace firebreak::guard::thermal
