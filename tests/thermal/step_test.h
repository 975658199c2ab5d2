#pragma once

#include "tests/thermal/plant.h"

namespace firebreak::thermal_bench {

/// What a full-power heat-up shows from outside: what a firmware's autotune or a person with a
/// stop-watch learns of a heater.
struct StepResponse {
  double slope = 0;      ///< Steepest rise of the sensor, K/s.
  double dead_s = 0;     ///< Where the steepest tangent meets the start.
  double end_slope = 0;  ///< Rise when the target is met, K/s.
  double seconds = 0;    ///< Until the target is met; infinite if it never is.
  double fall = 0;       ///< Then, power off: cooling of the sensor, K/s, after the lag.
  double fall_fan = 0;   ///< The same under a full part fan.
};

struct StepTest {
  double target_celsius = 210;
  double drive = 1;
  double longest_s = 1800;
  Surroundings around;
};

/// Heats a copy of the plant from the air's temperature.
StepResponse step_response(const Plant& plant, const StepTest& test);

}  // namespace firebreak::thermal_bench
