#pragma once

#include <cmath>
#include <cstdint>

namespace firebreak::thermal_bench {

/// A small generator of its own (splitmix64), so that a seed draws the same machine on every
/// computer and with every standard library. Not thread-safe; one for each run.
class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept : state_(seed) {}

  std::uint64_t next() noexcept {
    state_ += 0x9E3779B97F4A7C15ULL;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31U);
  }
  /// [0, 1)
  double uniform() noexcept { return static_cast<double>(next() >> 11U) * 0x1.0p-53; }
  double uniform(double low, double high) noexcept { return low + (high - low) * uniform(); }
  /// Even in the logarithm: for lags, masses and powers, which span a factor.
  double log_uniform(double low, double high) noexcept {
    return low * std::exp(std::log(high / low) * uniform());
  }
  bool chance(double share) noexcept { return uniform() < share; }
  int pick(int count) noexcept { return static_cast<int>(uniform() * count); }
  /// Time to the next event of a Poisson process with this mean, s.
  double wait(double mean_s) noexcept { return -mean_s * std::log(1.0 - uniform()); }
  /// Near enough to a standard normal for noise (sum of four), and cheap.
  double normal() noexcept {
    const std::uint64_t bits = next();
    double sum = 0;
    for (unsigned i = 0; i < 4; ++i) sum += static_cast<double>((bits >> (16U * i)) & 0xFFFFU);
    return (sum / 65536.0 - 2.0) * 1.7320508;
  }

 private:
  std::uint64_t state_;
};

/// One seed from several numbers: a family's, a machine's, a run's.
inline std::uint64_t mix(std::uint64_t a, std::uint64_t b) noexcept {
  return Random(a ^ (b * 0xD6E8FEB86659FD93ULL)).next();
}

}  // namespace firebreak::thermal_bench
