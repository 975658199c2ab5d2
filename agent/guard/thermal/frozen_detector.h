#pragma once

#include "agent/guard/thermal/detector.h"

namespace firebreak::guard::thermal {

struct FrozenState {
  float value = 0;
  std::int64_t since_ns = 0;  ///< 0 = not counting.
  std::uint32_t readings = 0;
  Rule found = Rule::none;
};

/// The very same number again and again while the heater has full power and the target is not
/// reached: 20 s in a hotend, 60 s in a bed or chamber, three times that where the firmware
/// reports whole degrees. Also right under the target, where Marlin's own check is blind.
class FrozenDetector final : public Detector {
 public:
  FrozenDetector(const HeaterProfile& profile, FrozenState& state) noexcept;
  Finding step(const HeaterView& view) noexcept override;

 private:
  double period_s_;
  FrozenState& state_;
};

}  // namespace firebreak::guard::thermal
