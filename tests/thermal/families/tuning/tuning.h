#pragma once

#include "tests/thermal/families/family.h"
#include "tests/thermal/step_test.h"

namespace firebreak::thermal_bench::tuning {

HeaterDraw draw_hotend(Random& random);
HeaterDraw draw_bed(Random& random);
HeaterDraw draw_chamber(Random& random);

/// PID, MPC or bang-bang with gains from the plant's own step response, as an autotune finds them.
std::unique_ptr<Controller> draw_controller(Random& random, const StepResponse& response,
                                            double step_celsius, bool bang_bang_allowed);

}  // namespace firebreak::thermal_bench::tuning
