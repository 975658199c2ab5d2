#include "tests/thermal/families/held_out/held_out.h"

namespace firebreak::thermal_bench {

namespace held_out {
namespace {

using DrawPlant = std::unique_ptr<Plant> (*)(Random&);

/// Draws until there is a machine that reaches its highest target on its slowest day.
void draw_sellable(HeaterDraw& draw, DrawPlant draw_plant, StepTest hard, int lowest_5k,
                   int choices, double above, Random& random) {
  hard.around.loss_factor = 1.5;  // In a draft, or without its sock.
  do {
    draw.target_celsius = 5 * (lowest_5k + random.pick(choices));
    draw.highest_celsius = draw.target_celsius + above;
    draw.plant = draw_plant(random);
    hard.target_celsius = draw.highest_celsius;
  } while (step_response(*draw.plant, hard).seconds > hard.longest_s);
}

StepResponse plain_response(const HeaterDraw& draw) {
  StepTest plain;
  plain.target_celsius = draw.target_celsius;
  return step_response(*draw.plant, plain);
}

HeaterDraw draw_hotend(Random& random) {
  static constexpr DrawPlant plants[] = {draw_rod_hotend, draw_tube_hotend, draw_ceramic_hotend};
  static constexpr const char* names[] = {"rod", "tube", "ceramic"};
  const int which = random.pick(3);
  HeaterDraw draw;
  draw.family = names[which];
  StepTest hard;
  hard.drive = 0.85;
  hard.longest_s = 240;
  hard.around.fan = 1;
  hard.around.flow_mm3_s = 8;
  draw_sellable(draw, plants[which], hard, 38, 15, 10, random);
  draw.controller = draw_hotend_controller(random, plain_response(draw), draw.target_celsius);
  return draw;
}

HeaterDraw draw_bed(Random& random) {
  static constexpr DrawPlant plants[] = {draw_zoned_bed, draw_sandwich_bed, draw_foam_bed};
  static constexpr const char* names[] = {"zoned", "sandwich", "foam"};
  const int which = random.pick(3);
  HeaterDraw draw;
  draw.family = names[which];
  StepTest hard;
  hard.drive = 0.86;
  hard.longest_s = 900;
  draw_sellable(draw, plants[which], hard, 10, 11, 5, random);
  draw.controller = draw_bed_controller(random, plain_response(draw));
  draw.window_s = random.chance(0.3) ? random.uniform(0.5, 2) : 0;
  return draw;
}

HeaterDraw draw_chamber(Random& random) {
  HeaterDraw draw;
  draw.family = "stratified";
  StepTest hard;
  hard.drive = 0.86;
  hard.longest_s = 1800;
  draw_sellable(draw, draw_stratified_chamber, hard, 8, 5, 2, random);
  draw.controller = draw_bed_controller(random, plain_response(draw));
  return draw;
}

}  // namespace
}  // namespace held_out

const Group& held_out_group() {
  static const Group group{"held-out",          0x48454C442D4F5554ULL,
                           "sliced_cube.gcode", held_out::draw_hotend,
                           held_out::draw_bed,  held_out::draw_chamber};
  return group;
}

}  // namespace firebreak::thermal_bench
