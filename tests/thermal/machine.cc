#include "tests/thermal/machine.h"

namespace firebreak::thermal_bench {

namespace {

SensorPath draw_sensor(Random& random, double highest_celsius) {
  SensorPath path;
  path.noise_kelvin = random.log_uniform(0.02, 0.25);
  path.step_kelvin = random.log_uniform(0.01, 0.15);
  path.table_top = std::max(highest_celsius + 40, random.uniform(300, 420));
  path.table_bottom = random.uniform(-40, -15);
  return path;
}

HeaterDesign draw_heater(HeaterKind kind, HeaterDraw draw, Random& random) {
  HeaterDesign heater;
  heater.kind = kind;
  heater.sensor = draw_sensor(random, draw.highest_celsius);
  heater.mains = kind != HeaterKind::hotend && draw.plant->nominal_watts() > 400;
  heater.draw = std::move(draw);
  return heater;
}

Habits draw_habits(Random& random, double hotend_watts) {
  Habits habits;
  habits.room_celsius = random.uniform(15, 32);
  habits.print_s = random.log_uniform(900, 4 * 3600);
  habits.idle_s = random.log_uniform(300, 3 * 3600);
  habits.bed_first = random.chance(0.4);
  habits.speed = random.log_uniform(0.6, 2.5);
  habits.flow_share = random.log_uniform(0.5, 2);
  habits.most_flow = hotend_watts * random.uniform(0.15, 0.3);
  habits.tool_changer = random.chance(0.12);
  habits.planner_lead_s = random.uniform(0, 2);
  return habits;
}

}  // namespace

double limit_celsius(HeaterKind kind) noexcept {
  switch (kind) {
    case HeaterKind::hotend:
      return 290;  // research/thermal, section 1: equal limits for all engines.
    case HeaterKind::bed: return 125;
    case HeaterKind::chamber: return 85;
  }
  return 290;
}

MachineDesign draw_machine(const Group& group, std::uint64_t number) {
  MachineDesign machine;
  machine.seed = mix(group.seed, number);
  Random random(machine.seed);
  machine.heaters.push_back(draw_heater(HeaterKind::hotend, group.hotend(random), random));
  machine.heaters.push_back(draw_heater(HeaterKind::bed, group.bed(random), random));
  if (random.chance(0.2)) {
    machine.heaters.push_back(draw_heater(HeaterKind::chamber, group.chamber(random), random));
  }
  machine.habits = draw_habits(random, machine.heaters[0].draw.plant->nominal_watts());
  machine.supply_offset = random.uniform(-0.02, 0.02);
  machine.bed_sag = random.uniform(0, 0.07);
  machine.report_quantum = random.chance(0.35) ? 0.1 : 0.01;
  machine.lazy_duty = random.chance(0.2);
  return machine;
}

}  // namespace firebreak::thermal_bench
