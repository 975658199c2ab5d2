#include "agent/guard/thermal/model_fit.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "agent/guard/thermal/constants.h"
#include "agent/guard/thermal/heat_up_run.h"

namespace firebreak::guard::thermal {
namespace {

// Terms of the linear part, in the order of the solution.
enum Term : std::size_t { rise, slope, loss, reservoir, fan_loss, flow_loss, terms };
using Row = std::array<double, terms>;

/// What is not linear, and searched on a grid.
struct Shape {
  double heater_lag = 1;
  double sensor_lag = 1;
  double exponent = 1.15;
  double reservoir_lag = 0;  ///< 0 = no second mass.
};

struct Solution {
  Row value{};
  Row deviation{};  ///< Standard deviations.
  double cost = 1e300;
  Shape shape;
};

std::string number(double value, int decimals = 1) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.*f", decimals, value);
  return text.data();
}

Result<HeaterModel> refuse(const std::string& why) { return fail(ErrorCode::refused, why); }

double reached(double dt, double lag) { return lag > 0.01 ? 1 - std::exp(-dt / lag) : 1; }

/// Integrals of the terms from the start of the run, one more than there are intervals.
struct Integrals {
  std::vector<Row> rows;
  std::vector<double> gained;
};

Integrals integrate(const Run& run, const Shape& shape) {
  Integrals sums;
  sums.rows.resize(run.intervals.size() + 1);
  sums.gained.resize(run.intervals.size() + 1);
  double first = run.intervals.empty() ? 0 : run.intervals.front().duty;
  double second = first, fan = 0, flow = 0;
  double mass = run.intervals.empty() ? 25 : run.intervals.front().middle;
  for (std::size_t i = 0; i < run.intervals.size(); ++i) {
    const auto& interval = run.intervals[i];
    const double dt = interval.dt;
    const double first_before = first, second_before = second;
    first += (interval.duty - first) * reached(dt, shape.heater_lag);
    second += (0.5 * (first + first_before) - second) * reached(dt, shape.sensor_lag);
    fan += (interval.fan - fan) * reached(dt, shape.sensor_lag + 0.5);
    flow += (interval.flow - flow) * reached(dt, shape.sensor_lag + 0.5);
    const double power = 0.5 * (second + second_before);
    const double above = interval.middle - run.ambient;
    const double still = std::copysign(std::pow(std::fabs(above) / 100, shape.exponent), above);
    auto& row = sums.rows[i + 1];
    row = sums.rows[i];
    row[rise] += power * dt;
    row[slope] += power * (interval.middle - 25) * dt;
    row[loss] -= still * dt;
    row[fan_loss] -= still * fan * dt;
    row[flow_loss] -= flow * above * dt;
    if (shape.reservoir_lag > 0) {
      row[reservoir] -= (interval.middle - mass) * dt;
      mass += (interval.middle - mass) * reached(dt, shape.reservoir_lag);
    }
    sums.gained[i + 1] = sums.gained[i] + interval.gained;
  }
  return sums;
}

/// Symmetric positive definite A x = y by Cholesky; the inverse's diagonal into `variance`.
bool solve(std::array<Row, terms> a, Row y, Row& x, Row& variance) {
  for (std::size_t i = 0; i < terms; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = a[i][j];
      for (std::size_t k = 0; k < j; ++k) sum -= a[i][k] * a[j][k];
      if (i == j && !(sum > 0)) return false;
      a[i][j] = i == j ? std::sqrt(sum) : sum / a[j][j];
    }
  }
  const auto back_substitute = [&](Row right) {
    for (std::size_t i = 0; i < terms; ++i) {
      for (std::size_t k = 0; k < i; ++k) right[i] -= a[i][k] * right[k];
      right[i] /= a[i][i];
    }
    for (std::size_t i = terms; i-- > 0;) {
      for (std::size_t k = i + 1; k < terms; ++k) right[i] -= a[k][i] * right[k];
      right[i] /= a[i][i];
    }
    return right;
  };
  x = back_substitute(y);
  for (std::size_t i = 0; i < terms; ++i) {
    Row unit{};
    unit[i] = 1;
    variance[i] = back_substitute(unit)[i];
  }
  return true;
}

/// What is believed of each term before the run is looked at: mean and standard deviation. They
/// only decide where the run says nothing (a heat-up without a hold says little of the loss).
void add_priors(const Run& run, const Shape& shape, std::array<Row, terms>& a, Row& y) {
  const double at = run.reference_rise;
  const bool hotend = run.kind == HeaterKind::hotend;
  // A hotend's loss, 15…32 K/W and 7…18 J/K, does not follow its watts; a bed's follows its size.
  const double usual_loss = hotend ? 0.42 : 0.45 * at;
  const auto believe = [&](Term term, double mean, double deviation) {
    a[term][term] += 1 / (deviation * deviation);
    y[term] += mean / (deviation * deviation);
  };
  believe(rise, at, 10 * at);
  believe(slope, -0.0004 * at, 0.0004 * at);
  believe(loss, usual_loss, 0.5 * usual_loss);
  believe(reservoir, shape.reservoir_lag > 0 ? 0.005 : 0, shape.reservoir_lag > 0 ? 0.01 : 1e-9);
  const double fan_spread = (hotend ? 0.2 : 0.04) * usual_loss;
  believe(fan_loss, (hotend ? 0.2 : 0.08) * usual_loss, run.has_fan ? fan_spread : 1e-9);
  const double usual_flow = hotend ? 2.4e-3 * at / run.watts : 0;
  believe(flow_loss, usual_flow, run.has_flow ? 0.3 * usual_flow + 1e-9 : 1e-9);
}

/// The least that each term can be: no heater is without loss, and none gains by a fan.
Row least_of(const Run& run) {
  Row least;
  least.fill(-1e9);
  const bool hotend = run.kind == HeaterKind::hotend;
  const double at = run.reference_rise;
  // 32 K/W and 18 J/K; a bed's watts over 260 and more for each kelvin (research/thermal §5).
  least[loss] = hotend ? 0.12 : 0.2 * at;
  least[reservoir] = 0;
  least[fan_loss] = 0;
  least[flow_loss] = hotend ? 0.3 * 2.4e-3 * at / run.watts : 0;
  return least;
}

/// The most: where reports are too slow to tell the rise from the lags, the profile bounds it.
Row most_of(const Run& run) {
  Row most;
  most.fill(1e9);
  if (run.fastest_rise > 0) most[rise] = run.fastest_rise;
  return most;
}

/// Solves within bounds: a term that leaves them is held at its bound, and so on.
bool solve_within(const Run& run, std::array<Row, terms>& a, Row& y, Row& x, Row& variance) {
  const Row least = least_of(run), most = most_of(run);
  for (std::size_t round = 0; round < terms; ++round) {
    if (!solve(a, y, x, variance)) return false;
    bool all_within = true;
    for (std::size_t i = 0; i < terms; ++i) {
      const double bound = std::clamp(x[i], least[i], most[i]);
      if (std::fabs(x[i] - bound) <= 1e-9 * std::fabs(bound) + 1e-12) continue;
      constexpr double firm = 1e18;
      a[i][i] += firm;
      y[i] += firm * bound;
      all_within = false;
    }
    if (all_within) return true;
  }
  return true;
}

/// Adds the normal equations of all windows of one length; returns how many there are.
std::size_t add_windows(const Run& run, const Integrals& sums, double window_s,
                        std::array<Row, terms>& a, Row& y, double& squares) {
  // Noise at both ends, and what no such model explains: a hundredth of full power.
  const double sigma = std::hypot(1.5 * run.noise, 0.01 * run.reference_rise * window_s);
  std::size_t windows = 0, end = 0, blocked = 0;  // `blocked`: intervals without a known duty.
  double span = 0, next = 0, at = 0;
  for (std::size_t begin = 0; begin < run.intervals.size(); ++begin) {
    while (end < run.intervals.size() && span < window_s) {
      span += run.intervals[end].dt;
      blocked += run.intervals[end].usable ? 0 : 1;
      ++end;
    }
    if (span < window_s) break;
    if (blocked == 0 && at >= next) {
      next = at + window_s / 4;
      Row row;
      for (std::size_t k = 0; k < terms; ++k) row[k] = sums.rows[end][k] - sums.rows[begin][k];
      const double gained = sums.gained[end] - sums.gained[begin];
      const double weight = 0.25 / (sigma * sigma);  // They overlap by three quarters.
      for (std::size_t i = 0; i < terms; ++i) {
        for (std::size_t k = 0; k <= i; ++k) a[i][k] += weight * row[i] * row[k];
        y[i] += weight * row[i] * gained;
      }
      squares += weight * gained * gained;
      ++windows;
    }
    at += run.intervals[begin].dt;
    span -= run.intervals[begin].dt;
    blocked -= run.intervals[begin].usable ? 0 : 1;
  }
  return windows;
}

Solution fit_shape(const Run& run, const Shape& shape) {
  Solution solution;
  solution.shape = shape;
  const auto sums = integrate(run, shape);
  std::array<Row, terms> a{};
  Row y{};
  double squares = 0;
  std::size_t windows = 0;
  // Short windows show the lags, long ones the losses and the second mass.
  for (const double window_s : {run.window_s, 6 * run.window_s}) {
    windows += add_windows(run, sums, window_s, a, y, squares);
  }
  if (windows < 10) return solution;
  const auto data = a;
  const Row data_y = y;
  add_priors(run, shape, a, y);
  Row variance{};
  if (!solve_within(run, a, y, solution.value, variance)) return solution;
  double cost = squares;
  for (std::size_t i = 0; i < terms; ++i) {
    cost -= 2 * solution.value[i] * data_y[i];
    for (std::size_t k = 0; k < terms; ++k) {
      cost += solution.value[i] * solution.value[k] * data[std::max(i, k)][std::min(i, k)];
    }
    solution.deviation[i] = std::sqrt(std::max(0.0, variance[i]));
  }
  solution.cost = cost;
  if (!(solution.value[rise] > 0)) solution.cost = 1e300;
  return solution;
}

/// A second mass that follows faster is part of the first; a slower one cannot be told from loss.
double mass_lag(HeaterKind kind, double lag_s) {
  if (!(lag_s > 0)) return 0;
  return kind == HeaterKind::hotend ? std::clamp(lag_s, 8.0, 150.0)
                                    : std::clamp(lag_s, 20.0, 400.0);
}

Solution search(const Run& run) {
  const bool hotend = run.kind == HeaterKind::hotend;
  const std::vector<double> lags = hotend ? std::vector<double>{0.1, 0.4, 0.7, 1.1, 1.7, 2.6, 4, 6}
                                          : std::vector<double>{0.3, 0.8, 1.5, 2.5, 4, 6, 9, 14};
  const std::array exponents{1.0, 1.12, 1.25, 1.38};
  const std::vector<double> masses =
      hotend ? std::vector<double>{0, 15, 40, 120} : std::vector<double>{0, 30, 70, 150, 350};
  Solution best;
  const auto try_shape = [&](const Shape& candidate) {
    auto solution = fit_shape(run, candidate);
    // A shape that says more than the simpler one must earn it.
    if (candidate.reservoir_lag > 0) solution.cost += 2;
    if (solution.cost < best.cost) best = solution;
  };
  for (const double mass : masses) {
    for (std::size_t i = 0; i < lags.size(); ++i) {
      for (std::size_t k = 0; k <= i; ++k) try_shape({lags[k], lags[i], 1.18, mass});
    }
  }
  for (int round = 0; round < 2; ++round) {
    for (const double exponent : exponents) {
      for (const double factor : {0.6, 1.0, 1.6}) {
        Shape candidate = best.shape;
        candidate.exponent = exponent;
        candidate.reservoir_lag = mass_lag(run.kind, candidate.reservoir_lag * factor);
        try_shape(candidate);
      }
    }
    for (const double factor : {0.75, 0.9, 1.1, 1.35}) {
      Shape candidate = best.shape;
      candidate.heater_lag *= factor;
      try_shape(candidate);
      candidate = best.shape;
      candidate.sensor_lag *= factor;
      try_shape(candidate);
    }
  }
  return best;
}

HeaterModel model_of(const Run& run, const Solution& solution) {
  HeaterModel model;
  const auto& v = solution.value;
  model.rise_kelvin_per_s = static_cast<float>(v[rise]);
  model.rise_slope_per_kelvin = std::clamp(static_cast<float>(v[slope] / v[rise]), -0.003F, 0.001F);
  model.loss_kelvin_per_s = static_cast<float>(v[loss]);
  model.loss_exponent = static_cast<float>(solution.shape.exponent);
  model.fan_loss = static_cast<float>(std::clamp(v[fan_loss] / std::max(0.01, v[loss]), 0.0,
                                                 run.kind == HeaterKind::hotend ? 1.5 : 0.5));
  const bool hotend = run.kind == HeaterKind::hotend;
  // c = 2.4 mJ/(mm³ K) over the heat capacity, which is watts over the rise.
  const double joule_per_kelvin = run.watts / v[rise];
  model.flow_loss_per_mm3 = hotend ? static_cast<float>(run.has_flow ? std::max(0.0, v[flow_loss])
                                                                     : 2.4e-3 / joule_per_kelvin)
                                   : 0;
  model.heater_lag_s = static_cast<float>(solution.shape.heater_lag);
  model.sensor_lag_s = static_cast<float>(solution.shape.sensor_lag);
  if (solution.shape.reservoir_lag > 0) {
    model.reservoir_rate_per_s = static_cast<float>(std::max(0.0, v[reservoir]));
    model.reservoir_lag_s = static_cast<float>(solution.shape.reservoir_lag);
  }
  model.ambient_celsius = static_cast<float>(std::clamp(run.ambient, -10.0, 60.0));
  const double top =
      std::pow(std::max(10.0, run.hottest - run.ambient) / 100, solution.shape.exponent);
  const double loss_spread = solution.deviation[loss] * top / std::max(0.05, v[loss] * top);
  model.lag_doubt_s = fit_lag_doubt * (model.heater_lag_s + model.sensor_lag_s) + 0.1F;
  const double doubt = run.fastest_rise > 0 ? fit_slow_rise_doubt : fit_rise_doubt;
  model.rise_doubt_up = model.rise_doubt_down =
      static_cast<float>(std::clamp(doubt + 2 * solution.deviation[rise] / v[rise], 0.0, 0.4));
  model.loss_doubt = static_cast<float>(run.kind == HeaterKind::chamber
                                            ? fit_chamber_loss_doubt
                                            : std::clamp(fit_loss_doubt + loss_spread, 0.0, 0.8));
  model.fan_doubt = run.has_fan ? 0.3F : 1.0F;
  model.learned = 1;
  return model;
}

/// Root mean square of what the model leaves unexplained in means of 30 s, as a fraction of power.
double residual_of(const Run& run, const Solution& solution) {
  const auto sums = integrate(run, solution.shape);
  double squares = 0, time = 0, span = 0;
  std::size_t begin = 0;
  bool usable = true;
  for (std::size_t i = 0; i < run.intervals.size(); ++i) {
    span += run.intervals[i].dt;
    usable = usable && run.intervals[i].usable;
    if (span < 30) continue;
    double predicted = 0;
    for (std::size_t k = 0; k < terms; ++k) {
      predicted += solution.value[k] * (sums.rows[i + 1][k] - sums.rows[begin][k]);
    }
    const double off =
        (sums.gained[i + 1] - sums.gained[begin] - predicted) / span / solution.value[rise];
    if (usable) squares += off * off * span, time += span;
    begin = i + 1;
    span = 0;
    usable = true;
  }
  return time > 0 ? std::sqrt(squares / time) : 1;
}

}  // namespace

namespace {

/// Above the room, at work; a chamber of 45…60 °C stands in a warm room.
double working_kelvin(HeaterKind kind) {
  return kind == HeaterKind::hotend ? 180 : kind == HeaterKind::bed ? 40 : 20;
}

}  // namespace

Result<void> check_envelope(const HeaterProfile& profile, const HeaterModel& model) {
  const auto off = [&](const std::string& why) -> Result<void> {
    return fail(ErrorCode::refused, profile.name + ": " + why);
  };
  if (!sane(model)) return off("the model holds numbers that no heater has; learn it again");
  const double a = model.rise_kelvin_per_s;
  // At slow reports a fast heater's rise and lag are hard to tell apart: 30 %.
  if (a > 1.3 * profile.fastest_rise_kelvin_per_s) {
    return off("heats with " + number(a, 2) + " K/s at full power, the profile says at most " +
               number(profile.fastest_rise_kelvin_per_s, 2) +
               ": a stronger heater than the profile's, or a sensor that is not in its block");
  }
  if (profile.heater_watts > 0 && profile.heated_mass_grams > 0) {
    // Aluminium and glass 0.85…0.9 J/(g K), brass and copper 0.38.
    const double fastest = profile.heater_watts / (0.38 * profile.heated_mass_grams);
    const double slowest = profile.heater_watts / (0.95 * profile.heated_mass_grams) * 0.5;
    if (a > 1.15 * fastest || a < slowest) {
      return off("heats with " + number(a, 2) + " K/s at full power; " +
                 number(profile.heater_watts, 0) + " W in " + number(profile.heated_mass_grams, 0) +
                 " g make " + number(slowest, 2) + " to " + number(fastest, 2) +
                 " K/s: check the heater, its voltage and the profile");
    }
  }
  // At full power a heater must be able to hold its working temperature, and no heater is without
  // any loss: a hotend's tau is 100…600 s, a bed's 300…3000 s (research/thermal §5).
  const double working = working_kelvin(profile.kind);
  const double hold = model.loss_kelvin_per_s * std::pow(working / 100, model.loss_exponent) / a;
  if (hold > 0.95) {
    return off("would need " + number(100 * hold, 0) + " % power to hold " + number(working, 0) +
               " K above the room: too weak, or its sensor is not seated");
  }
  if (hold < 0.01) {
    return off("needs hardly any power to hold " + number(working, 0) +
               " K above the room: the run holds no cooling; repeat it with a hold of two minutes");
  }
  return {};
}

Result<HeaterModel> fit_heater_model(const HeaterProfile& profile,
                                     std::span<const HeatUpSample> samples) {
  const auto run = prepare_run(profile, samples);
  const bool hotend = profile.kind == HeaterKind::hotend;
  std::size_t usable = 0;
  for (const auto& interval : run.intervals) usable += interval.usable ? 1 : 0;
  if (usable < 20) {
    return refuse(profile.name + ": only " + std::to_string(usable) +
                  " readings with a known duty; the heat-up must be reported with it");
  }
  const double wanted = hotend ? 80 : profile.kind == HeaterKind::bed ? 20 : 8;
  if (run.hottest - run.ambient < wanted) {
    return refuse(profile.name + ": warmed by " + number(run.hottest - run.ambient) +
                  " K only; heat it by at least " + number(wanted, 0) + " K from cold");
  }
  const double coldest_start = hotend ? 60 : 45;
  if (run.ambient > coldest_start) {
    return refuse(profile.name + ": the run starts at " + number(run.ambient) +
                  " °C; let it cool below " + number(coldest_start, 0) + " °C and repeat it");
  }
  const auto solution = search(run);
  if (solution.cost >= 1e299) {
    return refuse(profile.name + ": no heater behaves like this run; was it disturbed?");
  }
  auto model = model_of(run, solution);
  model.residual = static_cast<float>(std::min(1.0, residual_of(run, solution)));
  if (model.residual > fit_residual_most) {
    return refuse(profile.name + ": the model leaves " + number(100.0 * model.residual, 0) +
                  " % of full power unexplained (at most " + number(100.0 * fit_residual_most, 0) +
                  " %): was something touched, or the fan on? Repeat the run");
  }
  if (auto inside = check_envelope(profile, model); !inside) return fail(inside.error());
  return model;
}

}  // namespace firebreak::guard::thermal
