#include "tests/thermal/printer.h"

#include <algorithm>
#include <cmath>

namespace firebreak::thermal_bench {

Printer::Printer(const MachineDesign& machine, const PrintProgram& program, LifeStyle style,
                 std::uint64_t seed)
    : machine_(machine),
      random_(mix(machine.seed, seed)),
      life_(machine, program, style, mix(seed, machine.seed)) {
  for (const auto& design : machine.heaters) {
    HeaterNow heater;
    heater.kind = design.kind;
    heater.plant = design.draw.plant->clone();
    heater.controller = design.draw.controller->clone();
    heater.plant->set_temperature(machine.habits.room_celsius);
    heaters_.push_back(std::move(heater));
    readings_.push_back(machine.habits.room_celsius);
  }
  start_celsius_ = machine.habits.room_celsius;
  wishes_.room_celsius = machine.habits.room_celsius;
}

void Printer::plan(const FaultCase& fault) {
  fault_ = &fault;
  for (std::size_t i = 0; i < heaters_.size(); ++i) {
    if (heaters_[i].kind == fault.heater) broken_ = i;
  }
  draw_fault();
}

void Printer::draw_fault() {
  const bool hotend = fault_->heater == HeaterKind::hotend;
  draws_.fraction = random_.uniform(0.15, 0.85);
  draws_.wait_s = random_.uniform(5, 200);
  switch (fault_->kind) {
    case FaultKind::sensor_out:
      draws_.share = random_.uniform(0.03, 0.25);
      draws_.tau_s = hotend ? random_.log_uniform(2, 8) : random_.log_uniform(4, 25);
      break;
    case FaultKind::cartridge_out:
      draws_.share = random_.log_uniform(0.0005, 0.005);  // An air gap.
      break;
    case FaultKind::open_pinned: draws_.level = random_.uniform(20, 30); break;
    case FaultKind::table_top:
      draws_.level = machine_.heaters[broken_].draw.target_celsius - random_.uniform(1.5, 5);
      break;
    case FaultKind::partial_seating:
      draws_.share = random_.uniform(0.5, 0.85);
      draws_.tau_s = 5;
      break;
    case FaultKind::wrong_table: draws_.share = random_.uniform(0.8, 0.88); break;
    case FaultKind::blob:
      draws_.level = random_.uniform(30, 120);    // J/K
      draws_.share = random_.uniform(0.05, 0.3);  // W/K
      break;
    default: break;
  }
}

void Printer::tick() {
  t_ += tick_s;
  wishes_ = life_.step(t_, tick_s, readings_);
  for (std::size_t i = 0; i < heaters_.size(); ++i) heaters_[i].target = wishes_.target[i];
  if (fault_ != nullptr && fault_at_ < 0) look_for_moment();
  measure();
  for (std::size_t i = 0; i < heaters_.size(); ++i) control(i);
  heat();
}

void Printer::look_for_moment() {
  const auto& heater = heaters_[broken_];
  const double near = std::fabs(heater.reading - heater.target);
  switch (fault_->moment) {
    case Moment::idle:
      if (t_ >= 30 + draws_.wait_s / 2) begin_fault(t_);
      return;
    case Moment::from_start:
      if (fault_->kind == FaultKind::table_top) {
        if (heater.plant->sensor_celsius() > draws_.level) begin_fault(t_);
      } else if (std::any_of(heaters_.begin(), heaters_.end(),
                             [](const HeaterNow& any) { return any.target > 0; })) {
        begin_fault(t_);
      }
      return;
    case Moment::heat_up:
      if (heater.target > 0 &&
          heater.reading - start_celsius_ >= draws_.fraction * (heater.target - start_celsius_)) {
        begin_fault(t_);
      }
      return;
    case Moment::steady:
    case Moment::cooling:
      if (due_ < 0) {
        if (heater.target == 0 || near > 3) steady_since_ = t_;
        if (steady_since_ >= 0 && t_ - steady_since_ > 40) due_ = t_ + draws_.wait_s;
        return;
      }
      if (t_ < due_) return;
      if (fault_->moment == Moment::cooling && heater.target > 0) {
        life_.end_print();
        due_ = t_ + 5 + draws_.wait_s / 4;
        return;
      }
      begin_fault(t_);
      return;
  }
}

void Printer::begin_fault(double at_s) {
  fault_at_ = at_s;
  auto& heater = heaters_[broken_];
  bead_ = heater.plant->sensor_celsius();
  frozen_ = heater.reading;
  toggle_at_ = at_s;
  if (fault_->kind == FaultKind::cartridge_out) heater.plant->set_contact(draws_.share);
}

void Printer::measure() {
  const bool swapped = fault_ != nullptr && fault_->kind == FaultKind::swapped_sensors;
  for (std::size_t i = 0; i < heaters_.size(); ++i) {
    const auto source = swapped && i < 2 ? 1 - i : i;
    const auto& path = machine_.heaters[i].sensor;
    double value = heaters_[source].plant->sensor_celsius();
    if (fault_ != nullptr && i == broken_) value = disturbed(i, value);
    const bool exact =
        broken(i) && (fault_->kind == FaultKind::frozen || fault_->kind == FaultKind::open_pinned);
    if (!exact) {
      value = std::clamp(value + path.noise_kelvin * random_.normal(), path.table_bottom,
                         path.table_top);
      value = std::round(value / path.step_kelvin) * path.step_kelvin;
    }
    if (fault_ != nullptr && fault_->kind == FaultKind::table_top && i == broken_) {
      value = std::min(value, draws_.level);
    }
    heaters_[i].reading = readings_[i] = value;
  }
}

double Printer::disturbed(std::size_t index, double bead) {
  const double room = wishes_.room_celsius;
  if (fault_->kind == FaultKind::wrong_table) return room + draws_.share * (bead - room);
  if (fault_at_ < 0) return bead;
  switch (fault_->kind) {
    case FaultKind::sensor_out: {
      const double air = room + draws_.share * (heaters_[index].plant->body_celsius() - room);
      follow(bead_, air, draws_.tau_s, tick_s);
      return bead_;
    }
    case FaultKind::partial_seating:
      follow(bead_, room + draws_.share * (bead - room), draws_.tau_s, tick_s);
      return bead_;
    case FaultKind::frozen: return frozen_;
    case FaultKind::open_pinned: return draws_.level;
    case FaultKind::short_circuit: return 1e4;
    case FaultKind::open_circuit: return -1e4;
    case FaultKind::intermittent_sensor:
      if (t_ >= toggle_at_) {
        loose_ = !loose_;
        toggle_at_ = t_ + (loose_ ? random_.uniform(0.2, 1.5) : random_.uniform(2, 20));
      }
      return loose_ ? -1e4 : bead;
    default: return bead;
  }
}

void Printer::control(std::size_t index) {
  auto& heater = heaters_[index];
  heater.since_control += tick_s;
  if (t_ < heater.control_due) return;
  ControlInput input;
  input.dt_s = heater.since_control;
  input.reading = heater.reading;
  input.target = heater.target;
  input.fan = wishes_.fan;
  input.flow_mm3_s = wishes_.planned_flow_mm3_s;
  heater.duty = heater.controller->step(input);
  heater.since_control = 0;
  heater.control_due = t_ + heater.controller->period_s() - 0.01;
}

double Printer::arriving(std::size_t index, double duty) {
  if (!broken(index)) return duty;
  switch (fault_->kind) {
    case FaultKind::heater_open: return 0;
    case FaultKind::stuck_on: return std::max(duty, fault_->amount);
    case FaultKind::half_wave: return 0.5 * duty;
    case FaultKind::intermittent_heater:
      if (t_ >= toggle_at_) {
        loose_ = !loose_;
        toggle_at_ = t_ + (loose_ ? random_.uniform(2, 25) : random_.uniform(2, 40));
      }
      return loose_ ? 0 : duty;
    default: return duty;
  }
}

Surroundings Printer::around(std::size_t index) {
  Surroundings out;
  const auto& heater = heaters_[index];
  const bool boxed = heaters_.size() > 2;
  const double box = boxed ? heaters_[2].plant->body_celsius() : wishes_.room_celsius;
  out.loss_factor = wishes_.loss_factor;
  if (heater.kind == HeaterKind::chamber) {
    out.air_celsius = wishes_.room_celsius;
    out.body_watts = 0.15 * (heaters_[1].plant->body_celsius() - box);
    return out;
  }
  out.air_celsius = box;
  out.fan = fan_air_;
  if (heater.kind == HeaterKind::bed) return out;
  out.air_celsius += 0.12 * (heaters_[1].plant->body_celsius() - box);
  out.flow_mm3_s = wishes_.flow_mm3_s;
  out.loss_factor *= wishes_.sock_factor;
  if (broken(index) && fault_->kind == FaultKind::fan_stopped) out.fan = 0;
  if (broken(index) && fault_->kind == FaultKind::blob) follow_blob(out);
  return out;
}

void Printer::follow_blob(Surroundings& around) {
  const double watts = draws_.share * (heaters_[broken_].plant->body_celsius() - blob_celsius_);
  blob_celsius_ += watts * tick_s / draws_.level;
  around.body_watts = -watts;
  around.loss_factor *= 0.7;
}

void Printer::heat() {
  follow(fan_air_, wishes_.fan, 1.0, tick_s);
  follow(ripple_, 0.03 * random_.normal(), 5.0, tick_s);
  double drawn = 0;
  for (std::size_t i = 0; i < heaters_.size(); ++i) {
    const auto& design = machine_.heaters[i];
    double duty = arriving(i, heaters_[i].duty);
    if (design.draw.window_s > 0 && !(broken(i) && fault_->kind == FaultKind::stuck_on)) {
      duty = std::fmod(t_, design.draw.window_s) < duty * design.draw.window_s ? 1 : 0;
    }
    heaters_[i].power = duty;
    if (design.kind != HeaterKind::hotend && !design.mains) drawn = std::max(drawn, duty);
  }
  const double volts = 1 + machine_.supply_offset + ripple_ - machine_.bed_sag * drawn;
  const double mains = 1 + machine_.supply_offset;
  for (std::size_t i = 0; i < heaters_.size(); ++i) {
    const double v = machine_.heaters[i].mains ? mains : volts;
    heaters_[i].power *= v * v;
    heaters_[i].plant->step(tick_s, heaters_[i].power, around(i));
  }
}

double Printer::peak_if_cut(std::size_t heater) const {
  const auto copy = heaters_[heater].plant->clone();
  Surroundings still;
  still.air_celsius = wishes_.room_celsius;
  double peak = copy->body_celsius();
  const int ticks = heaters_[heater].kind == HeaterKind::hotend ? 200 : 600;
  for (int i = 0; i < ticks; ++i) {
    copy->step(tick_s, 0, still);
    peak = std::max(peak, copy->body_celsius());
  }
  return peak;
}

}  // namespace firebreak::thermal_bench
