#include "agent/guard/thermal/predicted_move.h"

#include <algorithm>

namespace firebreak::guard::thermal {

bool PredictedMove::damaged() const noexcept {
  const auto& s = state_;
  const bool finite = std::isfinite(s.moved) && std::isfinite(s.doubted) &&
                      std::isfinite(s.lowest) && std::isfinite(s.highest);
  return !finite || !(s.seconds >= 0) || !(s.rounded >= 0) || !(s.up >= 0) || !(s.down >= 0);
}

bool PredictedMove::step(const HeatBalance& balance, float width_kelvin, float duty_step) noexcept {
  auto& s = state_;
  if (!balance.judged || !balance.learned || damaged()) {
    reset();
    return false;
  }
  if (s.seconds == 0) {
    s.up = balance.doubt_up;
    s.down = balance.doubt_down;
    s.lowest = -(still_margin + s.down) * balance.rise;
    s.highest = (still_margin + s.up) * balance.rise;
  }
  s.seconds += balance.seconds;
  s.moved += balance.expected_rate * balance.seconds;
  const float heat = balance.rise * balance.seconds;
  s.doubted += 0.5F * (balance.doubt_up - s.up + balance.doubt_down - s.down) * heat;
  s.rounded += 0.5F * duty_step * heat;
  const float width =
      width_kelvin + std::fabs(s.doubted) + s.rounded + balance.slack_s * balance.rise;
  s.lowest = std::max(s.lowest, (-width - s.moved) / s.seconds);
  s.highest = std::min(s.highest, (width - s.moved) / s.seconds);
  return s.lowest > s.highest;
}

}  // namespace firebreak::guard::thermal
