#include "agent/guard/thermal/cooling_proof.h"

#include <algorithm>
#include <cmath>

namespace firebreak::guard::thermal {
namespace {

/// K/s that a healthy heater falls by at least, at `celsius` and without power: of its own learned
/// loss half (a second mass gives heat back, a room gets warm), else the slow end of its kind.
float expected_rate(HeaterKind kind, float celsius, const HeaterModel& model) noexcept {
  if (model.learned != 0) {
    return cooling_learned_part *
           std::max(0.0F,
                    still_loss(model, celsius, std::max(room_celsius, model.ambient_celsius)));
  }
  return std::max(0.0F, celsius - room_celsius) / cooling_tau_s(kind);
}

float lag_of(HeaterKind kind, const HeaterModel& model) noexcept {
  const float learned = model.heater_lag_s + model.sensor_lag_s + model.lag_doubt_s;
  return model.learned != 0 ? std::min(learned, rise_rule(kind).lag_s) : rise_rule(kind).lag_s;
}

double base_window_s(HeaterKind kind) noexcept {
  return kind == HeaterKind::hotend ? cooling_hotend_s : cooling_bed_s;
}

/// Takes in a reading that came after `begun_ns`.
void follow(CoolingTrack& track, float celsius, std::int64_t at_ns,
            std::int64_t begun_ns) noexcept {
  if (at_ns <= begun_ns || at_ns <= track.last_at_ns || !std::isfinite(celsius)) return;
  if (!std::isfinite(track.start)) track.start = celsius;
  if (!std::isfinite(track.highest) || celsius >= track.highest) {
    track.highest = celsius;
    track.highest_at_ns = at_ns;
  }
  if (std::isfinite(track.last) && celsius != track.last) ++track.changes;
  track.last = celsius;
  track.last_at_ns = at_ns;
  ++track.readings;
}

CoolingTrack started(float celsius, std::int64_t at_ns, std::int64_t now_ns) noexcept {
  CoolingTrack track;
  const bool known = at_ns != 0 && seconds_since(at_ns, now_ns) <= reading_fresh_s;
  if (!known || !std::isfinite(celsius)) return track;
  track.start = track.highest = track.last = celsius;
  track.highest_at_ns = now_ns;
  return track;
}

}  // namespace

CoolingProof::CoolingProof(const PrinterProfile& profile, CoolingState& state)
    : count_(std::min(profile.heaters.size(), max_heaters)), state_(state) {
  for (std::size_t i = 0; i < count_; ++i) {
    heaters_[i] = {profile.heaters[i].kind, static_cast<float>(profile.heaters[i].safe_celsius)};
  }
}

double CoolingProof::window_s(HeaterKind kind, float celsius, float quantum,
                              const HeaterModel& model) noexcept {
  // A cold heater is judged by not rising, which needs no fall of three quanta.
  if (celsius < safe_at_most(kind)) return base_window_s(kind);
  const float rate = cooling_part * expected_rate(kind, celsius, model);
  const float step = std::max(quantum, noise_kelvin);
  if (!(rate > 0)) return base_window_s(kind);
  return std::max<double>(base_window_s(kind), lag_of(kind, model) + cooling_quanta * step / rate);
}

void CoolingProof::begin(const StepInput& input, const PrinterReadings& readings,
                         const ThermalMonitor& monitor) noexcept {
  state_ = {};
  state_.begun_ns = input.now_ns;
  state_.provable = 1;
  double window = 0;
  for (std::size_t i = 0; i < count_; ++i) {
    const auto& heater = heaters_[i];
    const auto& reading = readings.heaters[i];
    state_.reported[i] = started(reading.celsius, reading.celsius_at_ns, input.now_ns);
    if (input.own[i].present) {
      state_.own[i] = started(input.own[i].celsius, input.own[i].at_ns, input.now_ns);
    }
    const float celsius = state_.reported[i].start;
    const bool cold = celsius < heater.safe && reading.target_celsius == 0 && !monitor.doubted(i);
    if (!cold) state_.maybe_hot |= 1U << i;
    const double needs = window_s(heater.kind, celsius, monitor.quantum(i), monitor.model(i));
    if (needs > cooling_longest_s) state_.provable = 0;
    window = std::max(window, needs);
  }
  state_.window_ns = seconds_ns(window);
}

bool CoolingProof::fell(const Heater& heater, const HeaterModel& model, const CoolingTrack& track,
                        float quantum, std::int64_t now_ns) const noexcept {
  if (track.readings < 3 || seconds_since(track.last_at_ns, now_ns) > reading_fresh_s) return false;
  const float drop = track.highest - track.last;
  const auto took = static_cast<float>(seconds_since(track.highest_at_ns, track.last_at_ns));
  const float rate = cooling_part * expected_rate(heater.kind, track.last, model);
  const float least = std::max(
      cooling_quanta * std::max(quantum, noise_kelvin),
      rate * (static_cast<float>(base_window_s(heater.kind)) - lag_of(heater.kind, model)));
  return drop >= least && drop >= rate * took;
}

bool CoolingProof::stayed_cold(const Heater& heater, const CoolingTrack& track,
                               std::int64_t now_ns) const noexcept {
  if (track.readings < 2 || seconds_since(track.last_at_ns, now_ns) > reading_fresh_s) return false;
  // Half a second before the window ends, so that the proof and the deadline never race.
  const bool whole_window =
      seconds_since(state_.begun_ns, now_ns) >= base_window_s(heater.kind) - 0.5;
  return whole_window && track.last < heater.safe &&
         track.highest <= track.start + cold_rise_kelvin;
}

CoolingResult CoolingProof::step(const StepInput& input, const PrinterReadings& readings,
                                 const ThermalMonitor& monitor, bool halted) noexcept {
  CoolingResult result;
  if (state_.begun_ns == 0 || count_ == 0) return result;
  const auto now = input.now_ns;
  result.acknowledged = result.cooled = result.cooled_elsewhere = true;
  for (std::size_t i = 0; i < count_; ++i) {
    const auto& heater = heaters_[i];
    const auto& reading = readings.heaters[i];
    auto& track = state_.reported[i];
    auto& own = state_.own[i];
    follow(track, reading.celsius, reading.celsius_at_ns, state_.begun_ns);
    if (input.own[i].present)
      follow(own, input.own[i].celsius, input.own[i].at_ns, state_.begun_ns);
    result.risen |= track.last > track.start + cooling_rise_kelvin ||
                    own.last > own.start + cooling_rise_kelvin;

    const bool said_after = reading.target_at_ns > state_.begun_ns;
    const bool off = said_after && reading.target_celsius == 0;
    result.acknowledged &= off;
    result.target_positive |= reading.target_celsius > 0 &&
                              seconds_since(state_.begun_ns, reading.target_at_ns) > latch_grace_s;

    const bool cold_own = stayed_cold(heater, own, now);
    const bool own_proves = fell(heater, monitor.model(i), own, noise_kelvin, now) || cold_own;
    const bool believed = !monitor.doubted(i) && !(halted && track.changes == 0);
    const bool reported_cold = believed && off && stayed_cold(heater, track, now);
    const bool reported_fell = believed && off && !(reading.duty > 0) &&
                               fell(heater, monitor.model(i), track, monitor.quantum(i), now);
    result.cooled &= reported_fell || reported_cold || own_proves;
    const bool was_hot = (state_.maybe_hot & (1U << i)) != 0;
    result.cooled_elsewhere &= own_proves || (!was_hot && reported_cold);
  }
  if (result.risen) result.cooled = result.cooled_elsewhere = false;
  return result;
}

}  // namespace firebreak::guard::thermal
