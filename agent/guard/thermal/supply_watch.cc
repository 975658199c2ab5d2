#include "agent/guard/thermal/supply_watch.h"

#include <algorithm>

namespace firebreak::guard::thermal {

bool SupplyWatch::step(std::span<const HeaterView> views, std::int64_t now_ns) noexcept {
  std::size_t asking = 0, missing = 0;
  for (std::size_t i = 0; i < std::min(views.size(), max_heaters); ++i) {
    const auto& balance = views[i].balance;
    auto& lost = state_.missing[i];
    auto& asked = state_.asked[i];
    if (!std::isfinite(lost) || std::fabs(lost) > 100) lost = 0;
    if (!(asked >= 0 && asked <= 1)) asked = 0;
    if (views[i].fresh) {
      const float dt = balance.judged ? balance.seconds : 1;
      const float part = dt / (dt + supply_mean_s);
      lost += ((balance.judged ? -balance.unexplained : 0) - lost) * part;
      asked += ((balance.judged ? balance.power : 0) - asked) * part;
    }
    if (views[i].fresh) state_.learned[i] = balance.learned ? 1 : 0;
    const bool asks = views[i].heating_asked() && !(views[i].duty == 0);
    if (asked < supply_asked_least || !asks || state_.learned[i] == 0) continue;
    ++asking;
    const bool plausible = lost < supply_missing_most * asked + 0.1F;
    if (lost > std::max(supply_missing_least, supply_missing_part * asked) && plausible) ++missing;
  }
  const bool short_now = asking >= 2 && missing == asking;
  if (!short_now) {
    state_.fell_since_ns = 0;
    return false;
  }
  if (state_.fell_since_ns == 0 || state_.fell_since_ns > now_ns) state_.fell_since_ns = now_ns;
  return seconds_since(state_.fell_since_ns, now_ns) < supply_held_s;
}

}  // namespace firebreak::guard::thermal
