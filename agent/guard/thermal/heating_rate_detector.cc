#include "agent/guard/thermal/heating_rate_detector.h"

namespace firebreak::guard::thermal {

HeatingRateDetector::HeatingRateDetector(const HeaterProfile& profile,
                                         HeatingRateState& state) noexcept
    : gain_(static_cast<float>(profile.watch_kelvin)),
      // Marlin arms below target - (gain + hysteresis + 1).
      margin_(static_cast<float>(profile.watch_kelvin + profile.hysteresis_kelvin + 1)),
      period_s_(static_cast<double>(profile.watch_period.count())),
      state_(state) {}

Rule HeatingRateDetector::judge(const HeaterView& view) noexcept {
  const bool below = view.heating_asked() && view.celsius < view.target_celsius - margin_;
  if (!below || view.stopped) {
    state_ = {};
    return Rule::none;
  }
  if (view.duty == 0) {
    state_.base_at_ns = 0;
    if (state_.idle_since_ns == 0) state_.idle_since_ns = view.celsius_at_ns;
    const auto idle = seconds_since(state_.idle_since_ns, view.celsius_at_ns);
    return idle >= period_s_ ? Rule::heating_idle : Rule::none;
  }
  state_.idle_since_ns = 0;
  // A learned heater at the end of its power is not asked for a gain that it cannot make.
  const auto& balance = view.balance;
  if (balance.judged && balance.learned &&
      balance.expected_rate < weak_factor * gain_ / static_cast<float>(period_s_)) {
    state_.base_at_ns = 0;
    return Rule::none;
  }
  if (state_.base_at_ns == 0 || view.celsius >= state_.base + gain_) {
    state_.base = view.celsius;
    state_.base_at_ns = view.celsius_at_ns;
    return Rule::none;
  }
  const auto waited = seconds_since(state_.base_at_ns, view.celsius_at_ns);
  // A controller that holds its power back is slow by its own will; with an open heater it would
  // mostly ask for all of it.
  const double periods = view.duty < watch_duty_least ? patient_periods : 1;
  return waited >= periods * period_s_ ? Rule::heating_rate : Rule::none;
}

Finding HeatingRateDetector::step(const HeaterView& view) noexcept {
  if (view.fresh) state_.found = judge(view);
  if (view.stopped) return {};
  if (state_.found == Rule::heating_idle) return {state_.found, margin_, unknown};
  return {state_.found, gain_, static_cast<float>(period_s_)};
}

}  // namespace firebreak::guard::thermal
