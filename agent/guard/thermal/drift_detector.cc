#include "agent/guard/thermal/drift_detector.h"

#include <algorithm>

namespace firebreak::guard::thermal {

DriftDetector::DriftDetector(const HeaterProfile& profile, DriftState& state) noexcept
    : kind_(profile.kind), state_(state) {}

Rule DriftDetector::judge(const HeaterView& view) noexcept {
  auto& s = state_;
  const auto& balance = view.balance;
  const bool bad =
      !std::isfinite(s.mean) || !std::isfinite(s.doubt) || !(s.seconds >= 0 && s.seconds <= 1e6F);
  if (bad || view.stopped || view.gap || !view.heating_asked()) {
    s = {};
    return Rule::none;
  }
  if (!balance.judged || !balance.learned || !std::isfinite(view.duty)) return s.found;
  const float part = balance.seconds / (balance.seconds + drift_mean_s);
  s.mean += (std::clamp(balance.unexplained, -1.0F, 1.0F) - s.mean) * part;
  s.doubt += (std::max(balance.doubt_up, balance.doubt_down) - s.doubt) * part;
  s.seconds = std::min(s.seconds + balance.seconds, 1e5F);
  if (s.seconds < 2 * drift_mean_s) return Rule::none;
  const float most = drift_power(kind_) + s.doubt;
  if (s.mean > most) return Rule::drift_more;
  if (s.mean < -most) return Rule::drift_less;
  // Told once, and again only after it was clearly gone.
  return std::fabs(s.mean) > 0.5F * most ? s.found : Rule::none;
}

Finding DriftDetector::step(const HeaterView& view) noexcept {
  if (view.fresh) state_.found = judge(view);
  if (view.stopped) return {};
  return {state_.found, drift_power(kind_) + state_.doubt, drift_mean_s, state_.mean};
}

}  // namespace firebreak::guard::thermal
