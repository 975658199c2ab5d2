#include "agent/guard/thermal/limit_detector.h"

namespace firebreak::guard::thermal {

LimitDetector::LimitDetector(const HeaterProfile& profile, LimitState& state) noexcept
    : limit_(static_cast<float>(profile.limit_celsius)),
      minimum_(static_cast<float>(profile.minimum_celsius)),
      state_(state) {}

Rule LimitDetector::judge(const HeaterView& view) noexcept {
  const float t = view.celsius;
  const bool sense = t > impossible_low_celsius && t < impossible_high_celsius;  // False for NaN.
  state_.nonsense = sense ? 0 : state_.nonsense + 1;
  if (!sense) return state_.nonsense >= limit_readings ? Rule::reading_impossible : state_.found;
  state_.high = t >= limit_ ? state_.high + 1 : 0;
  state_.low = t < minimum_ ? state_.low + 1 : 0;
  if (state_.high >= limit_readings || t >= limit_ + limit_sure_kelvin) return Rule::limit_high;
  if (state_.low < limit_readings) return Rule::none;
  const bool sure = view.heating_asked() || t < minimum_ - minimum_sure_kelvin;
  return sure ? Rule::limit_low : Rule::limit_low_idle;
}

Finding LimitDetector::step(const HeaterView& view) noexcept {
  if (view.fresh) state_.found = judge(view);
  const bool heat = state_.found == Rule::limit_high;
  if (view.stopped && !heat) return {};
  return {state_.found, heat ? limit_ : minimum_, unknown};
}

}  // namespace firebreak::guard::thermal
