#include "tests/simulator/kinds/verify_heater.h"

#include <algorithm>

namespace firebreak::sim {

bool VerifyHeater::failed(double celsius, double target, Nanos now) {
  const Nanos gain_time{static_cast<std::int64_t>(config_.check_gain_seconds * 1e9)};
  const double shortfall = target - config_.hysteresis - celsius;
  const bool new_target = target != last_target_;
  last_target_ = target;
  if (target <= 0 || shortfall <= 0) {
    approaching_ = false;
    error_ = std::max(0.0, target <= 0 ? 0.0 : error_ + shortfall);
    return false;
  }
  if (new_target || (approaching_ && celsius >= goal_)) {
    approaching_ = true;
    error_ = 0;
    goal_ = celsius + config_.heating_gain;
    goal_until_ = now + gain_time;
    return false;
  }
  if (approaching_ && now < goal_until_) return false;
  error_ += shortfall;
  const bool only_now = approaching_;
  approaching_ = false;
  return !only_now && error_ >= config_.max_error;
}

}  // namespace firebreak::sim
