#include "agent/guard/thermal/overshoot_detector.h"

#include <algorithm>

namespace firebreak::guard::thermal {

OvershootDetector::OvershootDetector(const HeaterProfile& profile, OvershootState& state) noexcept
    : kelvin_(static_cast<float>(profile.overshoot_kelvin)),
      lag_s_(rise_rule(profile.kind).lag_s),
      fastest_(static_cast<float>(profile.fastest_rise_kelvin_per_s)),
      state_(state) {}

void OvershootDetector::follow_slope(const HeaterView& view) noexcept {
  const auto since = seconds_since(state_.mark_at_ns, view.celsius_at_ns);
  const bool above = view.celsius > view.target_celsius;
  if (above && state_.above == 0) {
    const auto slope = state_.mark_at_ns == 0 || since <= 0
                           ? fastest_
                           : (view.celsius - state_.mark) / static_cast<float>(since);
    state_.lag_kelvin = std::clamp(slope, 0.0F, fastest_) * lag_s_;
  }
  state_.above = above ? 1 : 0;
  if (state_.mark_at_ns == 0 || since >= slope_span_s) {
    state_.mark = view.celsius;
    state_.mark_at_ns = view.celsius_at_ns;
  }
}

Rule OvershootDetector::judge(const HeaterView& view) noexcept {
  if (!view.heating_asked() || view.stopped) {
    state_ = {};
    return Rule::none;
  }
  if (view.target_celsius < state_.target - 1) {
    state_.armed = 0;
    state_.above = 1;  // The slope on the way to the old target is no allowance for the new one.
    state_.lag_kelvin = 0;
  }
  state_.target = view.target_celsius;
  follow_slope(view);
  const bool modelled = view.balance.judged && view.balance.learned;
  const float kelvin = modelled ? overshoot_learned_factor * kelvin_ : kelvin_;
  if (view.celsius <= view.target_celsius + kelvin + state_.lag_kelvin) {
    // Clearly within, so that noise at the edge of a lowered target does not arm it.
    if (view.celsius <= view.target_celsius + kelvin_ - overshoot_clear_kelvin) state_.armed = 1;
    state_.excess_since_ns = 0;
    state_.readings = 0;
    return Rule::none;
  }
  if (state_.armed == 0) return Rule::none;
  if (state_.excess_since_ns == 0) {
    state_.excess_since_ns = view.celsius_at_ns;
    state_.first = view.celsius;
  }
  ++state_.readings;
  if (seconds_since(state_.excess_since_ns, view.celsius_at_ns) < overshoot_s) return Rule::none;
  if (state_.readings < limit_readings) return Rule::none;
  const bool rising = view.celsius >= state_.first + overshoot_rise_kelvin;
  const bool not_falling = view.duty == 0 && view.celsius > state_.first - overshoot_flat_kelvin;
  return rising || not_falling ? Rule::overshoot : state_.found;
}

Finding OvershootDetector::step(const HeaterView& view) noexcept {
  if (view.fresh) state_.found = judge(view);
  if (view.stopped) return {};
  return {state_.found, kelvin_ + state_.lag_kelvin, static_cast<float>(overshoot_s)};
}

}  // namespace firebreak::guard::thermal
