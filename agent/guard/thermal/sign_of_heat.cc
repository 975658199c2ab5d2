#include "agent/guard/thermal/sign_of_heat.h"

#include <algorithm>
#include <cmath>

namespace firebreak::guard::thermal {
namespace {

/// Only a chamber's air may regain more without a heater (constants.h).
float allowed_rise(HeaterKind kind) noexcept {
  return kind == HeaterKind::chamber ? rise_rule(kind).kelvin : revived_rise_kelvin;
}

/// Takes a reading in if it is new; true when it has risen too far.
bool rose(HeaterKind kind, float fastest, SettledRiseState& state, std::int64_t& seen_ns,
          float celsius, std::int64_t at_ns) noexcept {
  SettledRise rise(kind, allowed_rise(kind), fastest, state);
  if (at_ns <= seen_ns || !std::isfinite(celsius)) {
    return false;
  }
  seen_ns = at_ns;
  return rise.step(at_ns, celsius);
}

}  // namespace

SignOfHeat::SignOfHeat(const PrinterProfile& profile, SignOfHeatState& state)
    : count_(std::min(profile.heaters.size(), max_heaters)), state_(state) {
  for (std::size_t i = 0; i < count_; ++i) {
    kinds_[i] = profile.heaters[i].kind;
    fastest_[i] = static_cast<float>(profile.heaters[i].fastest_rise_kelvin_per_s);
  }
}

void SignOfHeat::begin(std::int64_t now_ns, bool settled) noexcept {
  state_ = {};
  state_.begun_ns = now_ns;
  for (std::size_t i = 0; i < count_; ++i) {
    state_.seen_ns[i] = state_.own_seen_ns[i] = now_ns;
    if (settled) state_.rise[i].settled = state_.own_rise[i].settled = 1;
  }
}

std::uint32_t SignOfHeat::step(const StepInput& input, const PrinterReadings& readings) noexcept {
  std::uint32_t signs = 0;
  if (state_.begun_ns == 0) return signs;
  for (std::size_t i = 0; i < count_; ++i) {
    const auto& reading = readings.heaters[i];
    const auto& own = input.own[i];
    if (rose(kinds_[i], fastest_[i], state_.rise[i], state_.seen_ns[i], reading.celsius,
             reading.celsius_at_ns) ||
        (own.present && rose(kinds_[i], fastest_[i], state_.own_rise[i], state_.own_seen_ns[i],
                             own.celsius, own.at_ns))) {
      signs |= sign::rise;
    }
    const auto since = seconds_since(state_.begun_ns, reading.target_at_ns);
    if (reading.target_celsius > 0 && since > latch_grace_s) signs |= sign::target;
    const auto report_since = seconds_since(state_.begun_ns, reading.celsius_at_ns);
    if (reading.duty > 0 && report_since > latch_grace_s) signs |= sign::duty;
  }
  return signs;
}

}  // namespace firebreak::guard::thermal
