#include "agent/guard/thermal/heat_up_run.h"

#include <algorithm>
#include <cmath>

#include "agent/guard/thermal/constants.h"

namespace firebreak::guard::thermal {
namespace {

/// The duty that was reported, or what every controller does far from its target.
double duty_of(const HeatUpSample& sample, HeaterKind kind) {
  if (std::isfinite(sample.duty)) return std::clamp(sample.duty, 0.0F, 1.0F);
  if (sample.target_celsius == 0) return 0;
  if (sample.celsius < sample.target_celsius - assumed_duty_kelvin(kind)) return 1;
  if (sample.celsius > sample.target_celsius + assumed_duty_kelvin(kind)) return 0;
  return unknown;
}

/// Room: the median of the first readings, if the heater is not powered yet, else the lowest.
double room_of(std::span<const HeatUpSample> samples) {
  double lowest = 1000;
  for (const auto& sample : samples) {
    if (std::isfinite(sample.celsius)) lowest = std::min<double>(lowest, sample.celsius);
  }
  return lowest;
}

/// Standard deviation of a reading, from second differences: the median, which ramps, steps and
/// turning points do not move.
double noise_of(const Run& run) {
  std::vector<double> seconds;
  for (std::size_t i = 1; i < run.intervals.size(); ++i) {
    const double slope = run.intervals[i].gained / run.intervals[i].dt -
                         run.intervals[i - 1].gained / run.intervals[i - 1].dt;
    seconds.push_back(std::fabs(slope) * run.intervals[i].dt);
  }
  if (seconds.empty()) return 0.2;
  const auto middle = seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2);
  std::nth_element(seconds.begin(), middle, seconds.end());
  // 0.6745 is the median of |x| for a unit normal; a second difference has six variances.
  return std::max(0.02, *middle / 0.6745 / 2.449);
}

/// The fastest rise of the run over ten seconds, for the priors' scale.
double steepest(const Run& run) {
  double best = 0;
  for (std::size_t i = 0; i < run.intervals.size(); ++i) {
    double span = 0, gained = 0;
    for (std::size_t k = i; k < run.intervals.size() && span < 10; ++k) {
      span += run.intervals[k].dt;
      gained += run.intervals[k].gained;
    }
    if (span >= 10) best = std::max(best, gained / span);
  }
  return best;
}

}  // namespace

Run prepare_run(const HeaterProfile& profile, std::span<const HeatUpSample> samples) {
  Run run;
  run.kind = profile.kind;
  if (profile.heater_watts > 0) run.watts = profile.heater_watts;
  run.window_s = profile.kind == HeaterKind::hotend ? 6 : 15;
  run.hottest = -1000;
  const HeatUpSample* last = nullptr;
  double fan_least = 1, fan_most = 0, flow_most = 0;
  for (const auto& sample : samples) {
    if (!std::isfinite(sample.celsius) || !std::isfinite(sample.t_s)) continue;
    run.hottest = std::max<double>(run.hottest, sample.celsius);
    if (std::isfinite(sample.fan)) {
      fan_least = std::min<double>(fan_least, sample.fan);
      fan_most = std::max<double>(fan_most, sample.fan);
    }
    if (std::isfinite(sample.flow_mm3_per_s)) {
      flow_most = std::max<double>(flow_most, sample.flow_mm3_per_s);
    }
    if (last != nullptr && sample.t_s > last->t_s) {
      Interval interval;
      interval.dt = sample.t_s - last->t_s;
      const double before = duty_of(*last, run.kind), now = duty_of(sample, run.kind);
      interval.usable = std::isfinite(before) && std::isfinite(now) && interval.dt < gap_longest_s;
      interval.duty = interval.usable ? 0.5 * (before + now) : 0;
      interval.middle = 0.5 * (sample.celsius + last->celsius);
      interval.gained = sample.celsius - last->celsius;
      interval.fan = std::isfinite(sample.fan) ? sample.fan : 0;
      interval.flow = std::isfinite(sample.flow_mm3_per_s) ? sample.flow_mm3_per_s : 0;
      run.intervals.push_back(interval);
    }
    last = &sample;
  }
  double time = 0;
  for (const auto& interval : run.intervals) time += interval.dt;
  const bool slow = time > 2.5 * static_cast<double>(run.intervals.size());
  run.fastest_rise = slow ? profile.fastest_rise_kelvin_per_s : 0;
  run.ambient = room_of(samples);
  run.noise = noise_of(run);
  run.reference_rise = std::max(0.02, steepest(run));
  run.has_fan = fan_most - fan_least > 0.3;
  run.has_flow = flow_most > 3;
  return run;
}

}  // namespace firebreak::guard::thermal
