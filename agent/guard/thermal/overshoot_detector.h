#pragma once

#include "agent/guard/config/guard_config.h"
#include "agent/guard/thermal/detector.h"

namespace firebreak::guard::thermal {

struct OvershootState {
  float target = 0;
  float first = 0;                   ///< First reading of the excess.
  std::int64_t excess_since_ns = 0;  ///< 0 = none.
  std::int32_t readings = 0;         ///< Of the excess.
  bool armed = false;                ///< The reading was within reach of this target before.
  Rule found = Rule::none;
};

/// Over a steady target by more than `overshoot_kelvin` for 5 s, and still rising (or not falling
/// at duty 0): the switch is stuck. A lowered target arms it only after the reading came down, so
/// that cooling is life; heat during that cooling is the idle rule's.
class OvershootDetector final : public Detector {
 public:
  OvershootDetector(const HeaterProfile& profile, OvershootState& state) noexcept;
  Finding step(const HeaterView& view) noexcept override;

 private:
  Rule judge(const HeaterView& view) noexcept;

  float kelvin_;
  OvershootState& state_;
};

}  // namespace firebreak::guard::thermal
