// Klipper's own watch over a heater, as its configuration reference describes `verify_heater`.
#pragma once

#include "tests/simulator/kinds/kind.h"

namespace firebreak::sim {

// Looks once a second. While the heater approaches a new target it must gain `heating_gain` in
// every `check_gain_time`; from the look that it failed on, or after it had arrived once, the
// shortfall below target - hysteresis adds up to `max_error`; that first look never fails it.
class VerifyHeater {
 public:
  explicit VerifyHeater(const VerifyHeaterConfig& config) : config_(config) {}

  // True when the heater does not heat as it should. Call it once a second.
  bool failed(double celsius, double target, Nanos now);
  const VerifyHeaterConfig& config() const { return config_; }

 private:
  VerifyHeaterConfig config_;
  double last_target_ = 0;
  double error_ = 0;
  bool approaching_ = false;
  double goal_ = 0;
  Nanos goal_until_{0};
};

}  // namespace firebreak::sim
