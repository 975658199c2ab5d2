#include "tests/thermal/bench/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/thermal/random.h"

namespace firebreak::thermal_bench {

double quantile(std::vector<double> values, double share) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  const auto count = static_cast<double>(values.size());
  const auto rank = static_cast<std::ptrdiff_t>(std::clamp(std::ceil(share * count), 1.0, count));
  std::nth_element(values.begin(), values.begin() + rank - 1, values.end());
  return values[static_cast<std::size_t>(rank - 1)];
}

Estimate bootstrap_quantile(const std::vector<double>& values, double share, std::uint64_t seed) {
  constexpr int resamples = 200;
  Random random(seed);
  std::vector<double> found;
  std::vector<double> sample(values.size());
  for (int i = 0; i < resamples && !values.empty(); ++i) {
    for (auto& value : sample) value = values[random.next() % values.size()];
    found.push_back(quantile(sample, share));
  }
  return {quantile(values, share), quantile(found, 0.025), quantile(found, 0.975)};
}

double poisson_upper95(std::uint64_t count) {
  // P(at most count | mean) falls with the mean: halve the interval until it is 5 %.
  double low = 0;
  double high = 10 + 3 * static_cast<double>(count);
  for (int i = 0; i < 100; ++i) {
    const double mean = (low + high) / 2;
    double term = std::exp(-mean);
    double sum = term;
    for (std::uint64_t k = 1; k <= count; ++k) {
      term *= mean / static_cast<double>(k);
      sum += term;
    }
    (sum > 0.05 ? low : high) = mean;
  }
  return high;
}

}  // namespace firebreak::thermal_bench
