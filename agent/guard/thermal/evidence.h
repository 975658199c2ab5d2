#pragma once

#include <array>
#include <cstdint>

#include "agent/guard/thermal/detector.h"

namespace firebreak::guard::thermal {

/// One reading as a verdict saw it. NaN = unknown.
struct EvidenceSample {
  std::int64_t at_ns = 0;  ///< 0 = empty.
  float celsius = unknown;
  float target_celsius = unknown;
  float duty = unknown;
  float unexplained = unknown;  ///< Fraction of full power.
};

/// The last readings of a heater, oldest overwritten first. Plain data.
struct Evidence {
  static constexpr std::size_t size = 32;
  std::array<EvidenceSample, size> samples{};
  std::uint32_t next = 0;

  void take(const HeaterView& view) noexcept {
    if (!view.fresh) return;
    auto& sample = samples[next % size];
    sample = {view.celsius_at_ns, view.celsius, view.target_celsius, view.duty,
              view.balance.judged ? view.balance.unexplained : unknown};
    next = (next + 1) % size;
  }
};

}  // namespace firebreak::guard::thermal
