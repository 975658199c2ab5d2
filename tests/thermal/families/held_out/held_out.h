#pragma once

#include "tests/thermal/families/family.h"
#include "tests/thermal/step_test.h"

namespace firebreak::thermal_bench::held_out {

std::unique_ptr<Plant> draw_rod_hotend(Random& random);
std::unique_ptr<Plant> draw_tube_hotend(Random& random);
std::unique_ptr<Plant> draw_ceramic_hotend(Random& random);

std::unique_ptr<Plant> draw_zoned_bed(Random& random);
std::unique_ptr<Plant> draw_sandwich_bed(Random& random);
std::unique_ptr<Plant> draw_foam_bed(Random& random);

std::unique_ptr<Plant> draw_stratified_chamber(Random& random);

/// What autotune gives a controller that is none of the tuning families'.
std::unique_ptr<Controller> draw_hotend_controller(Random& random, const StepResponse& response,
                                                   double target_celsius);
std::unique_ptr<Controller> draw_bed_controller(Random& random, const StepResponse& response);

}  // namespace firebreak::thermal_bench::held_out
