#include "agent/guard/thermal/unexplained_power_detector.h"

#include <algorithm>

namespace firebreak::guard::thermal {
namespace {

/// Slower reports than this: waiting for one more costs more than it proves.
constexpr float power_slow_s = 1.5F;
/// Where two reports come at once (a host asks, the firmware tells by itself), what they differ by
/// is noise: 0.06 K in 20 ms would be a fall of 3 K/s. A shorter time than this counts for less.
constexpr float fall_seen_s(HeaterKind kind) noexcept {
  return kind == HeaterKind::hotend ? 0.25F : 1.0F;
}

float sum_within(float value) noexcept {
  return std::isfinite(value) ? std::clamp(value, 0.0F, power_sum_most_s) : 0;
}

}  // namespace

UnexplainedPowerDetector::UnexplainedPowerDetector(const HeaterProfile& profile,
                                                   UnexplainedPowerState& state) noexcept
    : kind_(profile.kind), state_(state) {}

void UnexplainedPowerDetector::repair() noexcept {
  state_.up = sum_within(state_.up);
  state_.down = sum_within(state_.down);
  if (!std::isfinite(state_.mean)) state_.mean = 0;
  if (!std::isfinite(state_.fastest_fall)) state_.fastest_fall = 0;
  if (!std::isfinite(state_.lost)) state_.lost = 0;
}

float UnexplainedPowerDetector::threshold(const HeaterView& view, float kelvin,
                                          float seconds) const noexcept {
  const auto& balance = view.balance;
  const float interval = balance.confirmed ? 0.5F * balance.seconds : balance.seconds;
  const float heat = std::max(kelvin / balance.rise, seconds) + balance.slack_s +
                     power_interval_part * interval + power_quanta * view.quantum / balance.rise;
  return view.scale * heat;
}

/// S+ that is enough. The more it will overheat, with what its lags still hold back, the less.
float UnexplainedPowerDetector::enough_more(const HeaterView& view) const noexcept {
  const auto& rule = power_rule(kind_);
  const bool learned = view.balance.learned;
  const float seconds = learned ? rule.more_s : std::max(rule.more_s, power_unlearned_s);
  const float enough = threshold(view, rule.more_kelvin, seconds);
  if (view.target_celsius == 0) return enough;
  const float excess = view.celsius + (learned ? view.balance.coming : 0) - view.target_celsius;
  if (!(excess > rule.above_kelvin)) return power_held_factor * enough;
  if (!learned) return enough;
  return enough * std::clamp(power_patience_kelvin / excess, power_patience_least, 1.0F);
}

/// S- that is enough. On its way to the target, or well below it, nothing holds the reading there.
float UnexplainedPowerDetector::enough_less(const HeaterView& view) noexcept {
  const auto& rule = power_rule(kind_);
  const auto& balance = view.balance;
  const float dt = balance.seconds;
  const float missing = -balance.unexplained - power_lost_part * balance.power;
  state_.lost += (missing - state_.lost) * dt / (dt + power_lost_s);
  const float enough = threshold(view, rule.less_kelvin, rule.less_s);
  if (!view.arrived || view.celsius < view.target_celsius - rule.below_kelvin) return enough;
  if (kind_ == HeaterKind::chamber) return power_never;
  if (balance.power > power_asked_least && state_.lost > 0) return power_lost_factor * enough;
  return balance.power > power_full ? power_full_factor * enough : power_never;
}

Rule UnexplainedPowerDetector::judge(const HeaterView& view) noexcept {
  repair();
  const auto& balance = view.balance;
  if (view.stopped || !balance.judged) {
    // What was summed up before a gap says less and less.
    if (view.stopped || view.gap) state_ = {};
    return state_.found;
  }
  const auto& rule = power_rule(kind_);
  const float dt = balance.seconds;
  const float u = balance.unexplained;
  const float up_before = state_.up, down_before = state_.down;
  state_.mean += (u - state_.mean) * dt / (dt + power_mean_s);
  state_.up = sum_within(state_.up + (u - rule.margin - balance.doubt_up) * dt);
  const float draft = rule.draft * balance.loss_part;
  const float less = (-u - rule.margin - draft - balance.doubt_down) * dt;
  // A healthy heater comes back to its target; one that does not is not forgiven.
  const bool back = view.celsius >= view.target_celsius;
  const float kept = back ? power_forget_s / (power_forget_s + dt) : 1;
  state_.down = view.heating_asked() ? sum_within((state_.down + less) * kept) : 0;  // Off: cools.

  const float needed_up = enough_more(view);
  const float needed_down = enough_less(view);
  // A verdict never rests on one reading. A leap that waited for its confirmation is two, and so,
  // where reports are slow, is a sum that was well on its way before.
  const auto count = [&](std::uint32_t before, float sum_before, float needed) {
    const bool slow = balance.seconds > power_slow_s;
    const bool two = balance.confirmed || (slow && sum_before > power_on_its_way * needed);
    return std::min(before + (two ? 2U : 1U), 1000U);
  };
  state_.over_up = state_.up > needed_up ? count(state_.over_up, up_before, needed_up) : 0;
  state_.over_down =
      state_.down > needed_down ? count(state_.over_down, down_before, needed_down) : 0;
  const float seen_for = std::min(1.0F, dt / fall_seen_s(kind_));
  const float extra_fall = (-u - balance.power) * balance.rise * seen_for;
  state_.fastest_fall = state_.down > 0 ? std::max(state_.fastest_fall * 0.9F, extra_fall) : 0;

  threshold_ = state_.over_up >= power_readings ? needed_up : needed_down;
  if (state_.over_up >= power_readings) return Rule::power_unexplained;
  if (state_.over_down >= power_readings && view.heating_asked() && !view.supply_fell) {
    const bool out = state_.fastest_fall >
                     sensor_out_factor * balance.fall_by_cooling + sensor_out_kelvin_per_s(kind_);
    return out || state_.found == Rule::power_sensor_out ? Rule::power_sensor_out
                                                         : Rule::power_missing;
  }
  const bool over = state_.up > 0.5F * threshold(view, rule.more_kelvin, rule.more_s) ||
                    state_.down > 0.5F * threshold(view, rule.less_kelvin, rule.less_s);
  return over ? state_.found : Rule::none;
}

Finding UnexplainedPowerDetector::step(const HeaterView& view) noexcept {
  if (view.fresh) state_.found = judge(view);
  if (view.stopped) return {};
  return {state_.found, threshold_, unknown, state_.mean};
}

}  // namespace firebreak::guard::thermal
