#include "agent/guard/thermal/plant_model.h"

#include <algorithm>

namespace firebreak::guard::thermal {
namespace {

float bounded(float value, float low, float high, float fallback) noexcept {
  return std::isfinite(value) ? std::clamp(value, low, high) : fallback;
}

/// 1 - exp(-x) for x >= 0, by the reciprocal of the series of exp: within 1 % and never out of 0…1.
float part_reached(float dt, float lag_s) noexcept {
  if (!(lag_s > 0.01F)) return 1;
  const float x = dt / lag_s;
  return 1 - 1 / (1 + x * (1 + x * (0.5F + x * (1.0F / 6))));
}

/// A lag that a straight line of input goes through: returns its mean over the step.
float follow(float& level, float input, float part) noexcept {
  const float before = level;
  level += (input - level) * part;
  return 0.5F * (before + level);
}

/// What leaps back, or much further, confirms nothing: it is a spike after a steep rise.
/// Rates are compared: a fault begins somewhere before the first leap.
bool confirms(float kelvin_per_s, float waiting_kelvin_per_s) noexcept {
  const float part = kelvin_per_s / waiting_kelvin_per_s;
  return part > 0 && part < leap_confirmed_factor;
}

/// Mean of two duties, or the one that is known; NaN = neither.
float mean_duty(float from, float to) noexcept {
  if (!std::isfinite(from)) return to;
  return std::isfinite(to) ? 0.5F * (from + to) : from;
}

/// A part of the lags is not known (steps up and down undo each other), nor when in its interval a
/// step came (they do not).
void follow_steps(PlantState& s, float stepped, float dt, float lag_doubt_s) noexcept {
  const float forgotten = part_reached(dt, std::max(slack_lasts_s, 2 * lag_doubt_s));
  const float untimed = stepped * slack_of_interval * dt;
  s.stepped = s.stepped * (1 - forgotten) + stepped;
  s.untimed = s.untimed * (1 - forgotten) + untimed * untimed;
}

}  // namespace

PlantModel::PlantModel(const HeaterProfile& profile, const HeaterModel& model,
                       PlantState& state) noexcept
    : kind_(profile.kind), model_(sane(model) ? model : wide_model(profile)), state_(state) {
  if (state_.at_ns == 0) state_.ambient = model_.ambient_celsius;
}

/// The reported duty; where there is none, what every controller does far from its target.
float PlantModel::duty_of(const HeaterView& view) const noexcept {
  if (std::isfinite(view.duty)) return std::clamp(view.duty, 0.0F, 1.0F);
  if (view.target_celsius == 0) return 0;
  const float away = assumed_duty_kelvin(kind_);
  if (view.celsius > view.target_celsius + away) return 0;
  if (view.celsius < view.target_celsius - away) return 1;
  return unknown;
}

void PlantModel::repair(std::int64_t now_ns) noexcept {
  auto& s = state_;
  if (s.at_ns > now_ns || s.at_ns < 0) s.at_ns = 0;
  if (s.settled_since_ns > now_ns) s.settled_since_ns = 0;
  if (s.idle_since_ns > now_ns) s.idle_since_ns = 0;
  s.celsius = bounded(s.celsius, impossible_low_celsius, impossible_high_celsius, 25);
  s.heater_lag = bounded(s.heater_lag, 0, 1, 0);
  s.sensor_lag = bounded(s.sensor_lag, 0, 1, 0);
  s.fan = bounded(s.fan, 0, 1, 0);
  s.flow = bounded(s.flow, 0, flow_highest_mm3_per_s, 0);
  s.reservoir = bounded(s.reservoir, impossible_low_celsius, impossible_high_celsius, s.celsius);
  s.reservoir_doubt = bounded(s.reservoir_doubt, 0, 300, 300);
  s.loss_scale = bounded(s.loss_scale, 1 - loss_scale_at_most, 1 + loss_scale_at_most, 1);
  s.ambient = bounded(s.ambient, model_.ambient_celsius - ambient_below_kelvin,
                      model_.ambient_celsius + ambient_above_kelvin, model_.ambient_celsius);
  s.stepped = bounded(s.stepped, -2, 2, 0);
  s.untimed = bounded(s.untimed, 0, 1000, 0);
  if (s.leap > Leap::goes_down) s.leap = Leap::none;
  s.waiting_kelvin = bounded(s.waiting_kelvin, -2000, 2000, 0);
  s.waiting_s = bounded(s.waiting_s, 0, 2 * gap_longest_s, 0);
}

/// Follows the duty for `dt` and returns what the sensor feels of it, as a mean.
float PlantModel::follow_duty(PlantState& s, float to, float dt) const noexcept {
  float mean = mean_duty(s.duty, to);
  if (!std::isfinite(mean)) mean = s.heater_lag;
  const float stepped = std::isfinite(s.duty) && std::isfinite(to) ? to - s.duty : 0;
  follow_steps(s, stepped, dt, model_.lag_doubt_s);
  s.duty = to;
  const float block = follow(s.heater_lag, mean, part_reached(dt, model_.heater_lag_s));
  return follow(s.sensor_lag, block, part_reached(dt, model_.sensor_lag_s));
}

/// A leap that waited came with a duty: between two slow reports a heater may have been on at full
/// power and be off again.
float PlantModel::felt_power(PlantState& s, float duty, float dt) const noexcept {
  const bool waited = s.leap == Leap::waits && s.waiting_s > 0 && s.waiting_s < dt;
  if (!waited) return follow_duty(s, duty, dt);
  const float before = follow_duty(s, s.waiting_duty, s.waiting_s) * s.waiting_s;
  const float rest = dt - s.waiting_s;
  return (before + follow_duty(s, duty, rest) * rest) / dt;
}

/// still_loss, computed anew where the temperature has moved by 0.1 K.
float PlantModel::loss_at(float celsius) noexcept {
  const float above = celsius - state_.ambient;
  if (!(std::fabs(above - loss_at_kelvin_) < 0.1F)) {
    loss_at_kelvin_ = above;
    loss_ = still_loss(model_, celsius, state_.ambient);
  }
  return loss_;
}

/// After a start or a gap: what the lags and the second mass hold is not known.
void PlantModel::restart(const HeaterView& view, float duty) noexcept {
  auto& s = state_;
  s.at_ns = view.celsius_at_ns;
  s.celsius = view.celsius;
  s.target = view.target_celsius;
  s.duty = duty;
  s.heater_lag = s.sensor_lag = std::isfinite(duty) ? duty : 0;
  s.fan = std::isfinite(view.fan) ? view.fan : 0;
  s.flow = std::isfinite(view.flow) ? view.flow : 0;
  if (view.celsius < s.ambient) s.ambient = view.celsius;
  s.reservoir = s.ambient + 0.5F * (view.celsius - s.ambient);
  s.reservoir_doubt = 0.5F * std::fabs(view.celsius - s.ambient);
  s.stepped = 1;
  s.settled_since_ns = 0;
  s.leap = Leap::none;
  repair(view.now_ns);
}

/// The room is at most as warm as an idle heater, and as warm as one that was idle for long.
void PlantModel::follow_room(const HeaterView& view, float dt) noexcept {
  auto& s = state_;
  if (view.celsius < s.ambient) s.ambient += (view.celsius - s.ambient) * part_reached(dt, 10);
  if (view.target_celsius != 0) {
    s.idle_since_ns = 0;
    return;
  }
  if (s.idle_since_ns == 0) s.idle_since_ns = view.celsius_at_ns;
  if (seconds_since(s.idle_since_ns, view.celsius_at_ns) < room_known_after_s) return;
  s.ambient += (view.celsius - s.ambient) * part_reached(dt, 300);
}

/// Drafts, a sock, a door: near a steady target the loss may be scaled, but never by more than
/// tenth of full power, so that a fault stays one.
void PlantModel::learn_loss(const HeaterView& view, const HeatBalance& balance,
                            float loss_part) noexcept {
  auto& s = state_;
  const bool near = view.target_celsius > 0 && view.target_celsius == s.target &&
                    std::fabs(view.celsius - view.target_celsius) < settled_kelvin(kind_) &&
                    std::isfinite(view.duty) && !view.stopped;
  if (!near) {
    s.settled_since_ns = 0;
    s.loss_scale += (1 - s.loss_scale) * part_reached(balance.seconds, loss_forgotten_s);
    return;
  }
  if (s.settled_since_ns == 0) s.settled_since_ns = view.celsius_at_ns;
  if (seconds_since(s.settled_since_ns, view.celsius_at_ns) < settled_s || loss_part < 0.02F) {
    return;
  }
  const float step = balance.unexplained / loss_part;
  s.loss_scale -= std::clamp(step, -1.0F, 1.0F) * part_reached(balance.seconds, loss_learned_s);
  const float most = std::min(loss_scale_at_most, loss_learned_power / loss_part);
  s.loss_scale = std::clamp(s.loss_scale, 1 - most, 1 + most);
}

/// What of a deviation the model itself may cause, as fractions of full power.
void PlantModel::widen(HeatBalance& balance, const HeaterView& view, float loss_part,
                       float flow_part, float above, float stepped) const noexcept {
  const bool fan_known = std::isfinite(view.fan), flow_known = std::isfinite(view.flow);
  const bool duty_known = std::isfinite(view.duty);
  const float either =
      model_.loss_doubt * loss_part +
      model_.reservoir_rate_per_s * state_.reservoir_doubt / balance.rise +
      (duty_known ? 0 : assumed_duty_doubt) + flow_doubt * flow_part +
      (balance.seconds > slow_report_s && stepped > step_switched ? step_doubt : 0);
  const float fan_part = loss_part * model_.fan_loss;
  const float fan_known_doubt = model_.fan_doubt * state_.fan;
  balance.doubt_up = model_.rise_doubt_up * balance.power + either +
                     (fan_known ? fan_known_doubt : unknown_fan) * fan_part;
  balance.doubt_down = model_.rise_doubt_down * balance.power + either +
                       (fan_known ? fan_known_doubt : 1 - unknown_fan) * fan_part;
  const bool may_flow =
      !flow_known && kind_ == HeaterKind::hotend && view.target_celsius > 0 && above > 0;
  if (may_flow) {
    balance.doubt_down += model_.flow_loss_per_mm3 * unknown_flow_mm3_per_s * above / balance.rise;
  }
  balance.widened = !fan_known || !duty_known || (!flow_known && kind_ == HeaterKind::hotend);
}

/// Whether a leap goes on the way of the one before, or confirms the one that waits.
bool PlantModel::seen_before(Leap way, float surprise_kelvin, float dt) const noexcept {
  if (state_.leap == way) return true;
  return state_.leap == Leap::waits &&
         confirms(surprise_kelvin / dt, state_.waiting_kelvin / state_.waiting_s);
}

HeatBalance PlantModel::step(const HeaterView& view) noexcept {
  HeatBalance balance;
  if (!view.fresh || !std::isfinite(view.celsius)) return balance;
  repair(view.now_ns);
  const float duty = duty_of(view);
  const auto dt = static_cast<float>(seconds_since(state_.at_ns, view.celsius_at_ns));
  // Since the last reading, also where that was a leap that waits.
  const float since = state_.leap == Leap::waits ? dt - state_.waiting_s : dt;
  const bool gap = since > gap_longest_s || dt > 2 * gap_longest_s;
  if (state_.at_ns == 0 || !(dt > 0.01F) || gap) {
    restart(view, duty);
    return balance;
  }
  PlantState s = state_;
  const bool known = std::isfinite(duty) && std::isfinite(s.duty);
  const float stepped = known ? std::fabs(duty - s.duty) : 0;
  balance.power = felt_power(s, duty, dt);
  const float sensor_part = part_reached(dt, model_.sensor_lag_s + 0.5F);
  const float fan = follow(
      s.fan, std::isfinite(view.fan) ? std::clamp(view.fan, 0.0F, 1.0F) : unknown_fan, sensor_part);
  const float flow = follow(
      s.flow, std::isfinite(view.flow) ? std::clamp(view.flow, 0.0F, flow_highest_mm3_per_s) : 0,
      sensor_part);

  const float middle = 0.5F * (view.celsius + s.celsius);
  const float above = middle - s.ambient;
  balance.rise = rise_at(model_, middle);
  const float still = loss_at(middle) * s.loss_scale;
  const float by_fan = still * model_.fan_loss * fan;
  const float by_flow = kind_ == HeaterKind::hotend ? model_.flow_loss_per_mm3 * flow * above : 0;
  const float to_reservoir = model_.reservoir_rate_per_s * (middle - s.reservoir);
  const float predicted = balance.rise * balance.power - still - by_fan - by_flow - to_reservoir;
  const float seen = (view.celsius - s.celsius) / dt;
  const float surprise_kelvin = (seen - predicted) * dt;
  const bool leapt = std::fabs(surprise_kelvin) > leap_kelvin + leap_quanta * view.quantum;
  const auto way = surprise_kelvin > 0 ? Leap::goes_up : Leap::goes_down;
  if (leapt && !seen_before(way, surprise_kelvin, dt)) {
    state_.leap = Leap::waits;
    state_.waiting_kelvin = surprise_kelvin;
    state_.waiting_s = dt;
    state_.waiting_duty = duty;
    return balance;
  }

  s.reservoir += (middle - s.reservoir) * part_reached(dt, model_.reservoir_lag_s);
  s.reservoir_doubt *= 1 - part_reached(dt, model_.reservoir_lag_s);

  balance.judged = known;
  balance.confirmed = s.leap == Leap::waits;
  balance.seconds = dt;
  balance.unexplained = std::clamp(surprise_kelvin / (balance.rise * dt), -20.0F, 20.0F);
  balance.expected_rate = predicted;
  balance.seen_rate = seen;
  balance.coming = std::max(0.0F, seen) * (model_.heater_lag_s + model_.sensor_lag_s);
  balance.slack_s = std::fabs(s.stepped) * model_.lag_doubt_s + std::sqrt(s.untimed);
  balance.learned = model_.learned != 0;
  balance.by_air_and_flow = by_fan + by_flow;
  balance.fall_by_cooling = still + by_fan + by_flow + std::max(0.0F, to_reservoir);
  s.leap = leapt ? way : Leap::none;
  s.at_ns = view.celsius_at_ns;
  state_ = s;
  const float loss_part = std::fabs(still) / balance.rise;
  balance.loss_part = loss_part;
  widen(balance, view, loss_part, std::fabs(by_flow) / balance.rise, above, stepped);
  follow_room(view, dt);
  if (known) learn_loss(view, balance, loss_part);
  state_.celsius = view.celsius;
  state_.target = view.target_celsius;
  state_.duty = duty;
  return balance;
}

}  // namespace firebreak::guard::thermal
