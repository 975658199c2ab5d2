#include "tests/thermal/families/tuning/tuning.h"

namespace firebreak::thermal_bench {

const Group& tuning_group() {
  static const Group group{"tuning",         0x54554E494E472D31ULL,
                           "cube.gcode",     tuning::draw_hotend,
                           tuning::draw_bed, tuning::draw_chamber};
  return group;
}

}  // namespace firebreak::thermal_bench
