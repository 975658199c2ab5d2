#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include "agent/guard/thermal/detector.h"

namespace firebreak::guard::thermal {

/// One reading as a verdict saw it. NaN = unknown.
struct EvidenceSample {
  std::int64_t at_ns = 0;
  float celsius = unknown;
  float target_celsius = unknown;
  float duty = unknown;
  float unexplained = unknown;  ///< Fraction of full power.
};

/// The evidence window of a heater's verdicts: its last minute, at most one reading a second (the
/// newest is always there), oldest overwritten first. Plain data; at slow reports it holds more
/// than a minute.
class Evidence {
 public:
  static constexpr std::size_t size = 64;

  void take(const HeaterView& view) noexcept {
    if (!view.fresh) return;
    const double since = seconds_since(newest_ns_, view.celsius_at_ns);
    const auto since_ms = static_cast<std::uint32_t>(std::clamp(since * 1e3, 0.0, 4e9));
    const auto before_ms = kept_[newest_ % size].since_ms;
    const bool first = newest_ns_ <= 0;
    const bool replaces = !first && before_ms < spacing_ms && before_ms + since_ms < spacing_ms;
    if (!replaces) newest_ = (newest_ + 1) % size;
    auto& kept = kept_[newest_ % size];
    kept.since_ms = first ? never : replaces ? before_ms + since_ms : since_ms;
    newest_ns_ = view.celsius_at_ns;
    kept.celsius = view.celsius;
    kept.target_celsius = view.target_celsius;
    kept.duty = view.duty;
    kept.unexplained = view.balance.judged ? view.balance.unexplained : unknown;
  }

  /// Writes the newest readings, oldest of them first; returns how many.
  std::size_t write(std::span<EvidenceSample> out) const noexcept {
    std::size_t count = 0;
    while (count < std::min(size, out.size()) && newest_ns_ > 0) {
      const auto& kept = kept_[(newest_ + size - count) % size];
      ++count;
      if (kept.since_ms == never) break;
    }
    auto at_ns = newest_ns_;
    for (std::size_t i = 0; i < count; ++i) {
      const auto& kept = kept_[(newest_ + size - i) % size];
      out[count - 1 - i] = {at_ns, kept.celsius, kept.target_celsius, kept.duty, kept.unexplained};
      at_ns -= std::int64_t{kept.since_ms} * 1'000'000;
    }
    return count;
  }

 private:
  static constexpr std::uint32_t spacing_ms = 950;  ///< A report each second comes a little early.
  static constexpr std::uint32_t never = 0xFFFFFFFF;

  struct Kept {
    float celsius = unknown;
    float target_celsius = unknown;
    float duty = unknown;
    float unexplained = unknown;
    std::uint32_t since_ms = never;  ///< Since the one before; never: there is none before.
  };

  std::array<Kept, size> kept_{};
  std::int64_t newest_ns_ = 0;  ///< 0 = empty.
  std::uint32_t newest_ = 0;
};

}  // namespace firebreak::guard::thermal
