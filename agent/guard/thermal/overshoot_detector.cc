#include "agent/guard/thermal/overshoot_detector.h"

namespace firebreak::guard::thermal {

OvershootDetector::OvershootDetector(const HeaterProfile& profile, OvershootState& state) noexcept
    : kelvin_(static_cast<float>(profile.overshoot_kelvin)), state_(state) {}

Rule OvershootDetector::judge(const HeaterView& view) noexcept {
  if (!view.heating_asked() || view.stopped) {
    state_ = {};
    return Rule::none;
  }
  if (view.target_celsius < state_.target - 1) state_.armed = false;
  state_.target = view.target_celsius;
  if (view.celsius <= view.target_celsius + kelvin_) {
    state_.armed = true;
    state_.excess_since_ns = 0;
    state_.readings = 0;
    return Rule::none;
  }
  if (!state_.armed) return Rule::none;
  if (state_.excess_since_ns == 0) {
    state_.excess_since_ns = view.celsius_at_ns;
    state_.first = view.celsius;
  }
  ++state_.readings;
  if (to_seconds(view.celsius_at_ns - state_.excess_since_ns) < overshoot_s) return Rule::none;
  if (state_.readings < limit_readings) return Rule::none;
  const bool rising = view.celsius >= state_.first + overshoot_rise_kelvin;
  const bool not_falling = view.duty == 0 && view.celsius > state_.first - overshoot_flat_kelvin;
  return rising || not_falling ? Rule::overshoot : state_.found;
}

Finding OvershootDetector::step(const HeaterView& view) noexcept {
  if (view.fresh) state_.found = judge(view);
  if (view.stopped) return {};
  return {state_.found, kelvin_, static_cast<float>(overshoot_s)};
}

}  // namespace firebreak::guard::thermal
