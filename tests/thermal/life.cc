#include "tests/thermal/life.h"

#include <algorithm>
#include <cmath>

namespace firebreak::thermal_bench {

namespace {

// Mean times between events of a healthy life, s.
constexpr double edit_every_s = 2 * 3600;
constexpr double filament_every_s = 5 * 3600;
constexpr double tool_every_s = 900;
constexpr double draft_every_s = 4 * 3600;
constexpr double sock_every_s = 200 * 3600;
constexpr double longest_heating_s = 3000;

}  // namespace

Life::Life(const MachineDesign& machine, const PrintProgram& program, LifeStyle style,
           std::uint64_t seed)
    : machine_(machine), program_(program), style_(style), random_(seed) {
  wishes_.room_celsius = machine.habits.room_celsius;
  for (std::size_t i = 0; i < machine.heaters.size(); ++i) {
    wanted_[i] = machine.heaters[i].draw.target_celsius;
  }
  until_s_ = style == LifeStyle::idle ? 1e18 : random_.uniform(15, 40);
  edit_at_ = random_.wait(edit_every_s);
  filament_at_ = random_.wait(filament_every_s);
  tool_at_ = random_.wait(tool_every_s);
  draft_at_ = random_.wait(draft_every_s);
  sock_at_ = random_.wait(sock_every_s);
}

const Wishes& Life::step(double t_s, double dt, std::span<const double> readings) {
  if (style_ == LifeStyle::whole) weather(t_s);
  if (style_ == LifeStyle::commission) {
    commission(t_s, readings);
    return wishes_;
  }
  switch (phase_) {
    case Phase::idle:
      if (t_s >= until_s_) begin_print(t_s);
      break;
    case Phase::heating: heat(t_s, readings); break;
    case Phase::printing: print(t_s, dt); break;
    case Phase::parked:
      if (t_s < until_s_) break;
      wishes_.target[0] = wanted_[0];
      purge_until_s_ = t_s + 60;
      phase_ = Phase::heating;
      until_s_ = t_s + longest_heating_s;
      break;
  }
  wishes_.printing = phase_ == Phase::printing;
  return wishes_;
}

void Life::commission(double t_s, std::span<const double> readings) {
  const auto met = [&](std::size_t i) {
    return std::fabs(readings[i] - wishes_.target[i]) < 2.5 || t_s > until_s_;
  };
  const auto go_on = [&](double seconds) {
    ++commission_step_;
    until_s_ = t_s + seconds;
  };
  const bool waits = commission_step_ == 1 || commission_step_ == 4;
  if (waits ? !met(commission_step_ == 1 ? 0 : 1) : t_s < until_s_) return;
  switch (commission_step_) {
    case 0: wishes_.target[0] = wanted_[0]; return go_on(600);
    case 1: return go_on(90);
    case 2: wishes_.fan = 1; return go_on(60);
    case 3:
      wishes_.fan = 0;
      wishes_.target = {0, wanted_[1], machine_.heaters.size() > 2 ? wanted_[2] : 0};
      return go_on(longest_heating_s);
    case 4: return go_on(240);
    case 5: wishes_.target = {}; return go_on(60);
    default: ++commission_step_; return;
  }
}

void Life::begin_print(double t_s) {
  phase_ = Phase::heating;
  until_s_ = t_s + longest_heating_s;
  program_s_ = random_.uniform(0, program_.length_s());
  const auto& heaters = machine_.heaters;
  for (std::size_t i = 0; i < heaters.size(); ++i) {
    const auto& draw = heaters[i].draw;
    // Not every print is of the same plastic.
    const double least = i == 0 ? 180 : i == 1 ? 45 : 35;
    wanted_[i] = style_ == LifeStyle::whole && random_.chance(0.3)
                     ? std::round(random_.uniform(least, draw.highest_celsius))
                     : draw.target_celsius;
    wishes_.target[i] = wanted_[i];
  }
  if (machine_.habits.bed_first) wishes_.target[0] = 0;
  print_ends_s_ = t_s + 1e18;
}

void Life::heat(double t_s, std::span<const double> readings) {
  const auto near = [&](std::size_t i) {
    return std::fabs(readings[i] - wishes_.target[i]) < 2.5 || t_s > until_s_;
  };
  if (wishes_.target[0] == 0) {
    if (near(1)) wishes_.target[0] = wanted_[0];
    return;
  }
  // Nobody waits for a chamber that is nearly there.
  if (!near(0) || !near(1)) return;
  phase_ = Phase::printing;
  if (style_ == LifeStyle::whole && print_ends_s_ > 1e17) {
    print_ends_s_ = t_s + std::clamp(random_.wait(machine_.habits.print_s), 300.0, 5 * 3600.0);
  }
}

double Life::flow_at(double program_s) const {
  const auto& habits = machine_.habits;
  const double flow = program_.flow(program_s * habits.speed) * habits.speed * habits.flow_share;
  return std::min(flow, habits.most_flow);
}

void Life::print(double t_s, double dt) {
  program_s_ += dt;
  const auto& habits = machine_.habits;
  wishes_.fan = program_.fan(program_s_ * habits.speed);
  wishes_.flow_mm3_s = flow_at(program_s_);
  wishes_.planned_flow_mm3_s = flow_at(program_s_ + habits.planner_lead_s);
  if (t_s < purge_until_s_ && t_s > purge_until_s_ - 20) {
    wishes_.flow_mm3_s = wishes_.planned_flow_mm3_s = habits.most_flow;
  }
  if (style_ == LifeStyle::whole) happen(t_s);
  if (t_s < print_ends_s_) return;
  end_print();
  until_s_ = t_s + std::clamp(random_.wait(habits.idle_s), 60.0, 6 * 3600.0);
}

void Life::end_print() {
  phase_ = Phase::idle;
  until_s_ = 1e18;
  wishes_.target = {};
  wishes_.fan = wishes_.flow_mm3_s = wishes_.planned_flow_mm3_s = 0;
}

void Life::happen(double t_s) {
  if (t_s >= edit_at_) {
    edit_at_ = t_s + random_.wait(edit_every_s);
    const auto which = static_cast<std::size_t>(random_.pick(3) == 0 ? 1 : 0);
    const double step = random_.chance(0.2) ? random_.uniform(-35, -15) : random_.uniform(-15, 15);
    const double highest = machine_.heaters[which].draw.highest_celsius;
    const double lowest = which == 0 ? 175 : 40;
    const double share = which == 0 ? 1 : 0.6;
    wanted_[which] = std::clamp(std::round(wanted_[which] + step * share), lowest, highest);
    wishes_.target[which] = wanted_[which];
  }
  if (t_s >= filament_at_) {
    filament_at_ = t_s + random_.wait(filament_every_s);
    const double kept = random_.chance(0.4) ? wanted_[0] : random_.chance(0.5) ? 170 : 0;
    return park(t_s, kept, random_.log_uniform(60, 900));
  }
  if (machine_.habits.tool_changer && t_s >= tool_at_) {
    tool_at_ = t_s + random_.wait(tool_every_s);
    park(t_s, wanted_[0] - random_.uniform(30, 70), random_.uniform(30, 240));
  }
}

void Life::park(double t_s, double celsius, double seconds) {
  phase_ = Phase::parked;
  until_s_ = t_s + seconds;
  wishes_.target[0] = celsius;
  wishes_.flow_mm3_s = wishes_.planned_flow_mm3_s = 0;
  if (random_.chance(0.5)) wishes_.fan = 0;
}

void Life::weather(double t_s) {
  constexpr double day_s = 86400;
  const double swing = 2 * std::sin(6.2831853 * t_s / day_s + 6.28 * machine_.supply_offset * 25);
  wishes_.room_celsius = machine_.habits.room_celsius + swing;
  if (t_s >= draft_at_) {
    draft_at_ = t_s + random_.wait(draft_every_s);
    draft_ends_ = t_s + random_.log_uniform(20, 900);
    wishes_.loss_factor = random_.uniform(1.05, 1.45);
  }
  if (t_s >= draft_ends_) wishes_.loss_factor = 1;
  if (t_s < draft_ends_) wishes_.room_celsius -= 3;
  if (t_s >= sock_at_ && wishes_.sock_factor == 1) {
    wishes_.sock_factor = random_.uniform(1.15, 1.45);
  }
}

}  // namespace firebreak::thermal_bench
