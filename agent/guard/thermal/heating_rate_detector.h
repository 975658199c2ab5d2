#pragma once

#include "agent/guard/config/guard_config.h"
#include "agent/guard/thermal/detector.h"

namespace firebreak::guard::thermal {

struct HeatingRateState {
  float base = 0;                  ///< Reading that the gain is measured from.
  std::int64_t base_at_ns = 0;     ///< 0 = not watching.
  std::int64_t idle_since_ns = 0;  ///< Below the target at duty 0 since.
  Rule found = Rule::none;
};

/// Marlin's WATCH: while a reading is well below its target it must gain `watch_kelvin` in every
/// `watch_period`. Unlike Marlin's, a changed target does not start the period again. At duty 0
/// (a heater timed out in a pause) nothing is demanded; that is a warning.
class HeatingRateDetector final : public Detector {
 public:
  HeatingRateDetector(const HeaterProfile& profile, HeatingRateState& state) noexcept;
  Finding step(const HeaterView& view) noexcept override;

 private:
  Rule judge(const HeaterView& view) noexcept;

  float gain_;
  float margin_;
  double period_s_;
  HeatingRateState& state_;
};

}  // namespace firebreak::guard::thermal
