#include "agent/guard/thermal/heater_model.h"

#include <algorithm>
#include <cmath>

namespace firebreak::guard::thermal {
namespace {

/// Specific heat of melted plastic by volume (research/thermal §0), J/(mm³ K).
constexpr float plastic_joule_per_mm3_kelvin = 2.4e-3F;
/// Heat capacity of a usual hotend, 7…18 J/K (research/thermal §5), for the flow's share.
constexpr float usual_hotend_joule_per_kelvin = 11;

bool within(float value, float low, float high) noexcept { return value >= low && value <= high; }

}  // namespace

HeaterModel wide_model(const HeaterProfile& profile) noexcept {
  HeaterModel model;
  const auto fastest = static_cast<float>(profile.fastest_rise_kelvin_per_s);
  // As strong as it can be: more heat than that is unexplained whatever the heater; how weak it is
  // nobody knows.
  model.rise_kelvin_per_s = fastest;
  model.rise_doubt_down = 0.85F;
  switch (profile.kind) {
    case HeaterKind::hotend:
      // 25…70 W into 7…18 J/K at 15…32 K/W: 1.4…5 K/s and tau 105…576 s (research/thermal §5).
      model.loss_kelvin_per_s = 0.4F;
      model.fan_loss = 0.4F;
      model.flow_loss_per_mm3 = plastic_joule_per_mm3_kelvin / usual_hotend_joule_per_kelvin;
      model.heater_lag_s = 1.2F;
      model.sensor_lag_s = 1.2F;
      model.lag_doubt_s = 5;
      break;
    case HeaterKind::bed:
      model.loss_kelvin_per_s = 0.18F;
      model.fan_loss = 0.1F;
      model.heater_lag_s = 3;
      model.sensor_lag_s = 3;
      model.lag_doubt_s = 16;
      model.reservoir_rate_per_s = 0.004F;
      model.reservoir_lag_s = 120;
      break;
    case HeaterKind::chamber:
      model.loss_kelvin_per_s = 0.18F;
      model.heater_lag_s = 6;
      model.sensor_lag_s = 6;
      model.lag_doubt_s = 25;
      model.reservoir_rate_per_s = 0.01F;
      model.reservoir_lag_s = 200;
      break;
  }
  model.loss_doubt = 0.9F;
  model.fan_doubt = 1;
  return model;
}

bool sane(const HeaterModel& model) noexcept {
  return within(model.rise_kelvin_per_s, 0.01F, 30) &&
         within(model.rise_slope_per_kelvin, -0.004F, 0.002F) &&
         within(model.loss_kelvin_per_s, 0, 5) && within(model.loss_exponent, 0.9F, 1.5F) &&
         within(model.fan_loss, 0, 3) && within(model.flow_loss_per_mm3, 0, 0.002F) &&
         within(model.heater_lag_s, 0, 60) && within(model.sensor_lag_s, 0, 60) &&
         within(model.reservoir_rate_per_s, 0, 0.2F) && within(model.reservoir_lag_s, 5, 3600) &&
         within(model.ambient_celsius, -20, 70) && within(model.rise_doubt_up, 0, 1) &&
         within(model.rise_doubt_down, 0, 1) && within(model.lag_doubt_s, 0, 60) &&
         within(model.loss_doubt, 0, 1) && within(model.fan_doubt, 0, 1) &&
         within(model.residual, 0, 1) && model.learned <= 1;
}

float rise_at(const HeaterModel& model, float celsius) noexcept {
  const float factor = 1 + model.rise_slope_per_kelvin * (celsius - 25);
  return model.rise_kelvin_per_s * std::clamp(factor, 0.2F, 1.5F);
}

float still_loss(const HeaterModel& model, float celsius, float ambient_celsius) noexcept {
  const float above = (celsius - ambient_celsius) * 0.01F;
  const float size = std::pow(std::fabs(above), model.loss_exponent);
  return model.loss_kelvin_per_s * (above < 0 ? -size : size);
}

}  // namespace firebreak::guard::thermal
