#pragma once

#include <cstdint>
#include <type_traits>

#include "agent/guard/config/guard_config.h"

namespace firebreak::guard::thermal {

/// How one heater answers to power, in units that do not depend on its size. Plain data.
///
///   dT/dt = a(T) x - loss(T) - g (T - Tr),   a(T) = a (1 + s (T - 25 °C))
///   loss(T) = b ((T - Ta) / 100 K)^n (1 + f fan) + c flow (T - Ta)
///   dTr/dt = (T - Tr) / r
///
/// x is the duty behind two first-order lags (heater to block, block to sensor), Ta the room, Tr a
/// second mass that is heated through the first (a bed's glass). Shape after RepRapFirmware's
/// model (loss exponent 1.35, part fan), Prusa's (slope of the power) and Marlin's MPC (block and
/// sensor lag); none of them has the second mass, which slow beds need (research/thermal §1).
struct HeaterModel {
  float rise_kelvin_per_s = 0;      ///< a: at full power, 25 °C.
  float rise_slope_per_kelvin = 0;  ///< s: usually below 0 (a heater's resistance grows).
  float loss_kelvin_per_s = 0;      ///< b: 100 K above the room, no fan, no flow.
  float loss_exponent = 1.2F;       ///< n.
  float fan_loss = 0;               ///< f: more loss at full part fan, as a fraction.
  float flow_loss_per_mm3 = 0;      ///< c: 2.4 mJ/(mm³ K) over the heat capacity, 1/mm³.
  float heater_lag_s = 0;
  float sensor_lag_s = 0;
  float reservoir_rate_per_s = 0;  ///< g; 0 = no second mass.
  float reservoir_lag_s = 60;      ///< r.
  float ambient_celsius = 25;      ///< Ta when it was learned.
  float rise_doubt_up = 0;         ///< How far a may be above its value, relative.
  float rise_doubt_down = 0;       ///< How far below.
  float loss_doubt = 0;            ///< Relative uncertainty of the loss.
  float fan_doubt = 0;             ///< Relative uncertainty of f.
  float lag_doubt_s = 0;           ///< How far the sum of the lags may be off.
  float residual = 0;              ///< Of the fit, as a fraction of full power, 30 s means.
  std::uint32_t learned = 0;       ///< 0: wide priors of the profile; 1: from this heater.
};
static_assert(std::is_trivially_copyable_v<HeaterModel>);

/// What is known of a heater that was never learned: the middle of what the profile and
/// research/thermal §5 allow, with doubts that cover both ends.
[[nodiscard]] HeaterModel wide_model(const HeaterProfile& profile) noexcept;

/// True if every number is finite and within what any heater of a printer can be. A model that is
/// not must not be used.
[[nodiscard]] bool sane(const HeaterModel& model) noexcept;

/// K/s that full power makes at `celsius`; at least a fifth of its value at 25 °C.
[[nodiscard]] float rise_at(const HeaterModel& model, float celsius) noexcept;

/// K/s that a still heater loses at `celsius` (below 0 if the room is warmer), fan and flow off.
[[nodiscard]] float still_loss(const HeaterModel& model, float celsius,
                               float ambient_celsius) noexcept;

}  // namespace firebreak::guard::thermal
