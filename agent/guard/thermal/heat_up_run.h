#pragma once

#include <span>
#include <vector>

#include "agent/guard/thermal/model_fit.h"

namespace firebreak::guard::thermal {

/// One interval between two reports, ready for the regression.
struct Interval {
  double dt = 0;
  double duty = 0;
  double middle = 0;  ///< °C.
  double gained = 0;  ///< K.
  double fan = 0;
  double flow = 0;
  bool usable = false;
};

/// A heat-up as the fit sees it: intervals, and what can be said of it before any fit.
struct Run {
  HeaterKind kind = HeaterKind::hotend;
  std::vector<Interval> intervals;
  double ambient = 25;
  double hottest = 0;
  double noise = 0.1;
  double window_s = 5;
  double reference_rise = 3;  ///< For the priors.
  double watts = 40;
  double fastest_rise = 0;  ///< Of the profile, where slow reports leave the rise open; else 0.
  bool has_fan = false;
  bool has_flow = false;
};

/// Reads the samples of a supervised heat-up. Allocates; offline.
[[nodiscard]] Run prepare_run(const HeaterProfile& profile, std::span<const HeatUpSample> samples);

}  // namespace firebreak::guard::thermal
