#include "agent/guard/thermal/own_sensor_detector.h"

namespace firebreak::guard::thermal {

OwnSensorDetector::OwnSensorDetector(const HeaterProfile& profile, OwnSensorState& state) noexcept
    : limit_(static_cast<float>(profile.limit_celsius)), state_(state) {}

Finding OwnSensorDetector::step(const HeaterView& view) noexcept {
  if (!view.has_own) return {};
  if (view.own_at_ns > state_.seen_at_ns) {
    state_.seen_at_ns = view.own_at_ns;
    state_.high = view.own_celsius >= limit_ ? state_.high + 1 : 0;
  }
  if (state_.high >= limit_readings) return {Rule::own_sensor_limit, limit_, unknown};
  if (watching_since_ns_ == 0) watching_since_ns_ = view.now_ns;
  if (seconds_since(view.own_at_ns, view.now_ns) > own_fresh_s) {
    state_.apart_since_ns = 0;
    if (seconds_since(watching_since_ns_, view.now_ns) <= own_fresh_s) return {};
    return {Rule::own_sensor_stale, static_cast<float>(own_fresh_s), unknown};
  }
  const auto age = seconds_since(view.celsius_at_ns, view.now_ns);
  const bool comparable = view.celsius_at_ns != 0 && age <= reading_fresh_s && !view.stopped;
  // NaN on either side is not "together".
  const bool together = std::fabs(view.own_celsius - view.celsius) <= own_kelvin;
  if (!comparable || together) {
    state_.apart_since_ns = 0;
    return {};
  }
  if (state_.apart_since_ns == 0) state_.apart_since_ns = view.now_ns;
  if (seconds_since(state_.apart_since_ns, view.now_ns) < own_s) return {};
  return {Rule::own_sensor_apart, own_kelvin, static_cast<float>(own_s)};
}

}  // namespace firebreak::guard::thermal
