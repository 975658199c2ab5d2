#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "tests/thermal/controller.h"
#include "tests/thermal/plant.h"
#include "tests/thermal/random.h"

namespace firebreak::thermal_bench {

/// One heater as a family draws it.
struct HeaterDraw {
  std::string family;
  std::unique_ptr<Plant> plant;
  std::unique_ptr<Controller> controller;
  double target_celsius = 210;   ///< A usual target of this machine.
  double highest_celsius = 240;  ///< The highest that it is built for.
  double window_s = 0;           ///< Period of a slow on-off output (SSR); 0 = smooth.
};

/// A set of families that belong together: their physics, their controllers, their seed.
struct Group {
  const char* name;
  std::uint64_t seed;
  const char* gcode;  ///< File in tests/data/gcode whose fan and flow it prints.
  HeaterDraw (*hotend)(Random&);
  HeaterDraw (*bed)(Random&);
  HeaterDraw (*chamber)(Random&);
};

/// What constants may be tuned on.
const Group& tuning_group();
/// What they are judged on; differs in structure. Nothing may be tuned here.
const Group& held_out_group();

}  // namespace firebreak::thermal_bench
