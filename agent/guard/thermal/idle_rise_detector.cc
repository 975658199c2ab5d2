#include "agent/guard/thermal/idle_rise_detector.h"

namespace firebreak::guard::thermal {

IdleRiseDetector::IdleRiseDetector(const HeaterProfile& profile, IdleRiseState& state) noexcept
    : hotend_(profile.kind == HeaterKind::hotend),
      rise_(profile.kind, rise_rule(profile.kind).kelvin,
            static_cast<float>(profile.fastest_rise_kelvin_per_s), state.rise),
      state_(state) {}

Finding IdleRiseDetector::step(const HeaterView& view) noexcept {
  if (view.fresh && std::isfinite(view.celsius)) {
    // A stopped printer has no business heating, whatever its firmware shows as the target.
    const bool unwanted = view.stopped || view.target_celsius == 0 ||
                          (view.duty == 0 && view.celsius > view.target_celsius + reached_kelvin);
    if (!unwanted) {
      rise_.reset();
      state_.readings = 0;
    } else {
      const bool steep = hotend_ && view.target_celsius == 0 && state_.rise.settled != 0 &&
                         view.balance.seen_rate > idle_steep_kelvin_per_s;
      const float scale = steep ? idle_steep_factor * view.scale : view.scale;
      // A single low spike is no new lowest.
      const float shown = std::max(view.celsius, state_.last);
      state_.readings = rise_.step(view.celsius_at_ns, shown, scale) ? state_.readings + 1 : 0;
    }
    state_.last = view.celsius;
    state_.found = state_.readings >= limit_readings ? Rule::idle_rise : Rule::none;
  }
  return {state_.found, view.scale * rise_.allowed(), unknown};
}

}  // namespace firebreak::guard::thermal
