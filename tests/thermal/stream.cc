#include "tests/thermal/stream.h"

#include <cmath>
#include <limits>

namespace firebreak::thermal_bench {

namespace {
constexpr float not_said = std::numeric_limits<float>::quiet_NaN();
}

Stream::Stream(const StreamStyle& style, const MachineDesign& machine, std::uint64_t seed)
    : style_(style), machine_(machine), random_(mix(machine.seed, seed)) {
  due_s_ = random_.uniform(0, style.period_s);
  gap_at_ = style.gap_mean_s > 0 ? random_.wait(style.gap_mean_s) : 1e18;
  spike_at_ = style.spike_mean_s > 0 ? random_.wait(style.spike_mean_s) : 1e18;
}

double Stream::spaced(double t_s) {
  double next = style_.period_s * (1 + style_.jitter * random_.uniform(-1, 1));
  if (t_s >= gap_at_) {
    gap_at_ = t_s + random_.wait(style_.gap_mean_s);
    next = std::max(next, random_.uniform(2, 4));
  }
  return next;
}

float Stream::told_duty(std::size_t heater, double duty) {
  if (!style_.duty) return not_said;
  const auto told = static_cast<float>(std::round(duty * 127) / 127);
  if (!machine_.lazy_duty) return told;
  float& last = last_duty_[heater];
  if (std::fabs(told - last) >= 0.05F || told == 0 || told == 1) last = told;
  return last;
}

bool Stream::listen(const Printer& printer, std::vector<Report>& reports) {
  flow_sum_ += printer.wishes().planned_flow_mm3_s;
  ++flow_ticks_;
  const double t = printer.t_s();
  if (t < due_s_) return false;
  due_s_ += spaced(t);
  if (due_s_ < t) due_s_ = t;
  reports.clear();
  const double quantum = style_.whole_degrees ? 1 : machine_.report_quantum;
  const auto flow = static_cast<float>(flow_sum_ / flow_ticks_);
  flow_sum_ = flow_ticks_ = 0;
  const bool spike = t >= spike_at_;
  if (spike) spike_at_ = t + random_.wait(style_.spike_mean_s);
  for (std::size_t i = 0; i < printer.heaters().size(); ++i) {
    const auto& heater = printer.heaters()[i];
    Report report;
    report.t_s = t;
    report.heater = heater.kind;
    report.celsius = static_cast<float>(std::round(heater.reading / quantum) * quantum);
    if (spike && i == 0) report.celsius *= 0.4F;
    report.target_celsius = static_cast<float>(heater.target);
    report.duty = told_duty(i, heater.duty);
    report.fan = style_.fan_and_flow ? static_cast<float>(printer.wishes().fan) : not_said;
    report.flow_mm3_s = style_.fan_and_flow ? flow : not_said;
    reports.push_back(report);
  }
  return true;
}

}  // namespace firebreak::thermal_bench
