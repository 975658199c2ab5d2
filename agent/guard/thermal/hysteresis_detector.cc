#include "agent/guard/thermal/hysteresis_detector.h"

#include <algorithm>

namespace firebreak::guard::thermal {

HysteresisDetector::HysteresisDetector(const HeaterProfile& profile,
                                       HysteresisState& state) noexcept
    : kind_(profile.kind),
      kelvin_(static_cast<float>(profile.hysteresis_kelvin)),
      period_s_(static_cast<double>(profile.hysteresis_period.count())),
      state_(state) {}

Rule HysteresisDetector::judge(const HeaterView& view) noexcept {
  if (!view.heating_asked() || view.stopped) {
    state_ = {};
    return Rule::none;
  }
  if (std::fabs(view.target_celsius - state_.target) > kelvin_) {
    state_ = {};
    state_.target = view.target_celsius;
  }
  const auto at = view.celsius_at_ns;
  if (view.celsius >= view.target_celsius - reached_kelvin) state_.reached = 1;
  if (state_.reached == 0) return Rule::none;
  // Where the model watches, this rule is the second line, for what a draft cannot do.
  const bool modelled = view.balance.judged && view.balance.learned;
  const float kelvin = modelled ? hysteresis_learned_factor * kelvin_ : kelvin_;
  if (view.celsius >= view.target_celsius - kelvin) {
    state_.below_since_ns = 0;
    state_.good = view.celsius;
    state_.good_at_ns = at;
    return Rule::none;
  }
  if (view.duty == 0) {  // The firmware does not heat: a pause's timeout, or power taken away.
    state_.below_since_ns = 0;
    return Rule::none;
  }
  if (state_.below_since_ns == 0) {
    state_.below_since_ns = at;
    state_.lowest = view.celsius;
  }
  state_.lowest = std::min(state_.lowest, view.celsius);
  const bool fell = state_.good - view.celsius >= fell_out_kelvin(kind_) &&
                    view.celsius < view.target_celsius - fell_out_kelvin(kind_);
  const bool fast = seconds_since(state_.good_at_ns, at) <= fell_out_s(kind_);
  if (state_.good_at_ns != 0 && fell && fast && at != state_.below_since_ns) {
    return Rule::hysteresis_sensor;
  }
  if (state_.found == Rule::hysteresis_sensor) return state_.found;
  const double below_s = seconds_since(state_.below_since_ns, at);
  // What has turned and comes back is heated: a slow bang-bang bed, a draft that has passed.
  const bool recovers = view.celsius > state_.lowest + recovered_kelvin;
  const double period_s = recovers ? patient_periods * period_s_ : period_s_;
  return below_s >= period_s ? Rule::hysteresis_heater : Rule::none;
}

Finding HysteresisDetector::step(const HeaterView& view) noexcept {
  if (view.fresh) state_.found = judge(view);
  if (view.stopped) return {};
  if (state_.found == Rule::hysteresis_sensor) {
    return {state_.found, fell_out_kelvin(kind_), static_cast<float>(fell_out_s(kind_))};
  }
  return {state_.found, kelvin_, static_cast<float>(period_s_)};
}

}  // namespace firebreak::guard::thermal
