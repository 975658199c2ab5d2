#pragma once

#include <cstdint>
#include <vector>

namespace firebreak::thermal_bench {

/// A figure with its 95 % interval.
struct Estimate {
  double value = 0;
  double low = 0;
  double high = 0;
};

/// The value at or below which `share` of all lie (nearest rank). `values` may be in any order;
/// infinities stand for what never came. NaN if there are none.
double quantile(std::vector<double> values, double share);

/// quantile() with the interval of 200 bootstrap resamples, drawn from `seed`.
Estimate bootstrap_quantile(const std::vector<double>& values, double share, std::uint64_t seed);

/// Upper end of the one-sided 95 % interval of a Poisson mean after `count` events.
double poisson_upper95(std::uint64_t count);

}  // namespace firebreak::thermal_bench
