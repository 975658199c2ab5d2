#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "agent/guard/thermal/constants.h"

namespace firebreak::guard::thermal {

/// Plain data of a SettledRise.
struct SettledRiseState {
  std::int64_t since_ns = 0;  ///< When heat stopped being wanted; 0 = it is wanted.
  std::int64_t lowest_at_ns = 0;
  float lowest = 0;
  std::uint8_t settled = 0;
};

/// How far a reading has risen over its lowest since heat stopped being wanted, once the lag of
/// the sensor has died away and less the drift of the surroundings.
class SettledRise {
 public:
  SettledRise(HeaterKind kind, float kelvin, float fastest_rise_kelvin_per_s,
              SettledRiseState& state) noexcept
      : rule_(rise_rule(kind)),
        kelvin_(kelvin),
        lag_kelvin_(rule_.lag_s * fastest_rise_kelvin_per_s),
        state_(state) {}

  void reset() noexcept { state_ = {}; }
  [[nodiscard]] bool running() const noexcept { return state_.since_ns != 0; }

  /// Takes one fresh reading; true when it has risen further than `scale` times what is allowed.
  bool step(std::int64_t at_ns, float celsius, float scale = 1) noexcept {
    if (state_.since_ns == 0) {
      state_ = {at_ns, at_ns, celsius, state_.settled};
      return false;
    }
    if (state_.settled == 0 && seconds_since(state_.since_ns, at_ns) >= rule_.settle_s) {
      // What still climbs has climbed; but never forget a rise that was too far already.
      const bool too_far = celsius > state_.lowest + scale * allowed();
      state_.settled = 1;
      if (!too_far) rebase(at_ns, celsius);
      return too_far;
    }
    const auto drift =
        rule_.drift_kelvin_per_s * static_cast<float>(seconds_since(state_.lowest_at_ns, at_ns));
    if (celsius <= state_.lowest + drift) {
      rebase(at_ns, celsius);
      return false;
    }
    return celsius > state_.lowest + drift + scale * allowed();
  }

  [[nodiscard]] float allowed() const noexcept {
    return state_.settled != 0 ? kelvin_ : kelvin_ + lag_kelvin_;
  }

 private:
  void rebase(std::int64_t at_ns, float celsius) noexcept {
    state_.lowest = celsius;
    state_.lowest_at_ns = at_ns;
  }

  RiseRule rule_;
  float kelvin_;
  float lag_kelvin_;
  SettledRiseState& state_;
};

}  // namespace firebreak::guard::thermal
