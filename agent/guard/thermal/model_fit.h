#pragma once

#include <span>

#include "agent/guard/config/guard_config.h"
#include "agent/guard/core/shared.h"
#include "agent/guard/thermal/heater_model.h"
#include "common/base/result.h"

namespace firebreak::guard::thermal {

/// One report of a supervised heat-up. NaN = unknown. Times rise.
struct HeatUpSample {
  float t_s = 0;
  float celsius = unknown;
  float target_celsius = unknown;
  float duty = unknown;
  float fan = unknown;
  float flow_mm3_per_s = unknown;
};

/// Fits a heater's model to its own heat-up by least squares: for each pair of lags, exponent and
/// second mass of a fixed grid the other constants are linear in windows of some seconds, held by
/// weak priors where the run says nothing. Refuses, with the reason and what to do, a run that is
/// too short or too cold, a model outside the profile's physical envelope (watts, mass, fastest
/// rise), and one that does not reproduce the run. Offline: it allocates and takes some 10 ms.
[[nodiscard]] Result<HeaterModel> fit_heater_model(const HeaterProfile& profile,
                                                   std::span<const HeatUpSample> samples);

/// Whether a model is one that this heater can have; the error says what is off and by how much.
[[nodiscard]] Result<void> check_envelope(const HeaterProfile& profile, const HeaterModel& model);

}  // namespace firebreak::guard::thermal
