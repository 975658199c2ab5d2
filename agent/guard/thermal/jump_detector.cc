#include "agent/guard/thermal/jump_detector.h"

#include <algorithm>

namespace firebreak::guard::thermal {

JumpDetector::JumpDetector(const HeaterProfile& profile, JumpState& state) noexcept
    : rise_(static_cast<float>(profile.fastest_rise_kelvin_per_s) * jump_rise_factor),
      fall_tau_(profile.kind == HeaterKind::hotend ? 15.0F : 60.0F),
      state_(state) {}

float JumpDetector::allowance(const HeaterView& view) const noexcept {
  const auto dt = static_cast<float>(seconds_since(state_.accepted_at_ns, view.celsius_at_ns));
  const bool up = view.celsius > state_.accepted;
  const float fall = jump_fall_base_kelvin_per_s + std::max(0.0F, state_.accepted) / fall_tau_;
  return jump_noise_kelvin + dt * (up ? rise_ : fall);
}

void JumpDetector::take(const HeaterView& view) noexcept {
  if (!std::isfinite(view.celsius)) return;  // The limits judge that.
  const auto accept = [&] {
    state_.accepted = view.celsius;
    state_.accepted_at_ns = view.celsius_at_ns;
    state_.outliers = 0;
  };
  if (state_.accepted_at_ns == 0) return accept();
  const float allowed = allowance(view);
  if (std::fabs(view.celsius - state_.accepted) <= allowed) {
    // A single outlier between two good readings was a spike.
    if (state_.outliers == 1) {
      const bool lately =
          seconds_since(state_.spike_at_ns, view.celsius_at_ns) < jump_spike_memory_s;
      state_.spikes = lately ? state_.spikes + 1 : 1;
      state_.spike_at_ns = view.celsius_at_ns;
    }
    state_.found = state_.spikes >= jump_spikes ? Rule::jump_spikes : Rule::none;
    if (seconds_since(state_.spike_at_ns, view.celsius_at_ns) >= jump_spike_memory_s) {
      state_.spikes = 0;
      state_.found = Rule::none;
    }
    return accept();
  }
  state_.allowed = allowed;
  if (++state_.outliers < 2) return;
  state_.found = Rule::jump;
  accept();
}

Finding JumpDetector::step(const HeaterView& view) noexcept {
  if (view.fresh) take(view);
  if (view.stopped) return {};
  return {state_.found, state_.allowed, unknown};
}

}  // namespace firebreak::guard::thermal
