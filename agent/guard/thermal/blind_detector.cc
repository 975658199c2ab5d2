#include "agent/guard/thermal/blind_detector.h"

#include <algorithm>
#include <cmath>

namespace firebreak::guard::thermal {

BlindDetector::BlindDetector(const HeaterProfile& profile, BlindState& state) noexcept
    : limit_(static_cast<float>(profile.limit_celsius)),
      safe_(static_cast<float>(profile.safe_celsius)),
      rise_(static_cast<float>(profile.fastest_rise_kelvin_per_s)),
      steady_kelvin_(static_cast<float>(profile.hysteresis_kelvin)),
      state_(state) {}

/// Held its target, or did not rise without one, when it was last heard.
bool BlindDetector::steady(const HeaterView& view) const noexcept {
  if (view.target_commanded) return false;
  if (view.target_celsius > 0) {
    return std::fabs(view.celsius - view.target_celsius) <= steady_kelvin_;
  }
  return view.target_celsius == 0 && state_.last <= state_.before + blind_idle_rise_kelvin;
}

double BlindDetector::longest_s(const HeaterView& view) const noexcept {
  if (view.restarting) return blind_restart_s;
  if (view.network) {
    return view.protection_verified && steady(view) ? blind_network_steady_s : blind_longest_s;
  }
  if (!(rise_ > 0)) return blind_shortest_s;
  float celsius = view.celsius;
  if (!std::isfinite(celsius)) celsius = limit_;  // Unknown is hot.
  const double room = (limit_ + blind_over_limit_kelvin - celsius) / rise_;
  return std::clamp(room, blind_shortest_s, blind_longest_s);
}

bool BlindDetector::possibly_hot(const HeaterView& view) const noexcept {
  const bool cold = view.celsius_at_ns != 0 && view.celsius < safe_ && view.target_celsius == 0 &&
                    !view.target_commanded;
  return !cold;  // Written so that NaN is hot.
}

/// A silence teaches little: the interval is bounded by what a warning can wait for.
void BlindDetector::learn_interval(const HeaterView& view) noexcept {
  auto& s = state_;
  const auto since = seconds_since(s.last_at_ns, view.celsius_at_ns);
  if (s.last_at_ns != 0 && since > 0) {
    const auto seen = static_cast<float>(std::min(since, blind_interval_most_s));
    const bool known = s.interval_s > 0 && s.interval_s <= blind_interval_most_s;
    s.interval_s = known ? s.interval_s + (seen - s.interval_s) * blind_interval_part : seen;
  }
  s.last_at_ns = view.celsius_at_ns;
  s.before = s.last;
  s.last = view.celsius;
}

double BlindDetector::warn_s() const noexcept {
  const bool known = state_.interval_s > 0 && state_.interval_s <= blind_interval_most_s;
  return known ? std::max<double>(blind_warn_s, blind_warn_intervals * state_.interval_s)
               : blind_warn_s;
}

Finding BlindDetector::step(const HeaterView& view) noexcept {
  if (view.fresh) learn_interval(view);
  if (state_.started_ns == 0 || state_.started_ns > view.now_ns) state_.started_ns = view.now_ns;
  if (view.stopped || view.hold_blind) return {};
  const auto since = view.celsius_at_ns != 0 ? view.celsius_at_ns : state_.started_ns;
  const auto age = seconds_since(since, view.now_ns);
  if (age < blind_shortest_s) return {};
  // A printer that only the network reaches may be told to heat by others while nobody hears it.
  if (!view.network && !possibly_hot(view)) {
    if (age < cold_silence_warn_s) return {};
    return {Rule::silent_cold, static_cast<float>(cold_silence_warn_s), unknown};
  }
  const auto longest = longest_s(view);
  if (age >= longest) return {Rule::blind, static_cast<float>(longest), unknown};
  if (age < warn_s()) return {};
  return {Rule::blind_warning, static_cast<float>(longest), unknown};
}

}  // namespace firebreak::guard::thermal
