#pragma once

#include "agent/guard/config/guard_config.h"
#include "agent/guard/thermal/detector.h"

namespace firebreak::guard::thermal {

struct HysteresisState {
  float target = 0;
  std::int64_t below_since_ns = 0;  ///< 0 = not below.
  std::int64_t good_at_ns = 0;      ///< Last reading that was not below.
  float good = 0;
  float lowest = 0;  ///< Since it is below.
  std::uint8_t reached = 0;
  Rule found = Rule::none;
};

/// Marlin's runaway rule: once a target was reached, a reading that stays further than
/// `hysteresis_kelvin` below it for a whole `hysteresis_period` while the firmware heats. A fall
/// that is too fast for a powered heater (25 K in 10 s; bed 15 K in 15 s) needs no period: that is
/// a sensor which came out. A changed target (by more than the hysteresis) is life.
class HysteresisDetector final : public Detector {
 public:
  HysteresisDetector(const HeaterProfile& profile, HysteresisState& state) noexcept;
  Finding step(const HeaterView& view) noexcept override;

 private:
  Rule judge(const HeaterView& view) noexcept;

  HeaterKind kind_;
  float kelvin_;
  double period_s_;
  HysteresisState& state_;
};

}  // namespace firebreak::guard::thermal
