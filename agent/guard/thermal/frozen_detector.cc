#include "agent/guard/thermal/frozen_detector.h"

namespace firebreak::guard::thermal {

FrozenDetector::FrozenDetector(const HeaterProfile& profile, FrozenState& state) noexcept
    : period_s_(frozen_s(profile.kind)), state_(state) {}

Finding FrozenDetector::step(const HeaterView& view) noexcept {
  const double period = view.quantum > 0.5F ? 3 * period_s_ : period_s_;
  if (view.fresh) {
    const bool pushed = view.heating_asked() && view.duty >= full_duty &&
                        view.celsius < view.target_celsius && !view.stopped;
    if (!pushed) {
      state_ = {};
    } else if (state_.since_ns == 0 || view.celsius != state_.value) {
      state_ = {view.celsius, view.celsius_at_ns, 1, Rule::none};
    } else {
      ++state_.readings;
      const bool frozen = state_.readings >= frozen_readings &&
                          seconds_since(state_.since_ns, view.celsius_at_ns) >= period;
      state_.found = frozen ? Rule::frozen : Rule::none;
    }
  }
  if (view.stopped) return {};
  return {state_.found, static_cast<float>(period), unknown};
}

}  // namespace firebreak::guard::thermal
