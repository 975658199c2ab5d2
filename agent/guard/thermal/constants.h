#pragma once

#include <cstdint>

#include "agent/guard/config/guard_config.h"

/// Every number of the thermal rules that is not in a printer's profile, with its reason. The same
/// numbers, rule by rule, are in docs/thermal-rules.md.
namespace firebreak::guard::thermal {

constexpr std::int64_t seconds_ns(double seconds) noexcept {
  return static_cast<std::int64_t>(seconds * 1e9);
}
constexpr double to_seconds(std::int64_t ns) noexcept { return static_cast<double>(ns) * 1e-9; }
/// Seconds from `earlier_ns` to `now_ns`. Defined for any two values, also those of a memory that
/// was damaged; exact to a nanosecond for 100 days of uptime.
constexpr double seconds_since(std::int64_t earlier_ns, std::int64_t now_ns) noexcept {
  return (static_cast<double>(now_ns) - static_cast<double>(earlier_ns)) * 1e-9;
}

// Limits. Two readings, so that one garbled line is not a trip; one that is 20 K over is no noise
// (MAXTEMP of Marlin acts on one averaged reading, Klipper on four raw ones, 1.2 s).
inline constexpr std::uint32_t limit_readings = 2;
inline constexpr float limit_sure_kelvin = 20;
/// Idle and this far below the minimum is an open sensor; between the two it may be a cold garage,
/// which Marlin tolerates as well (MINTEMP acts only with a target).
inline constexpr float minimum_sure_kelvin = 10;
/// No printer's heater can read this; the sources are a thermocouple's and a table's ends.
inline constexpr float impossible_low_celsius = -60;
inline constexpr float impossible_high_celsius = 1000;

// Jumps. A rise is bounded by the heater's power (1.5 times the profile's fastest rise), a fall by
// cooling: with tau 15 s for a hotend under a full fan, 60 s for a bed. 10 K is more than the
// noise of any report (ADC noise is ±0.5 K).
inline constexpr float jump_noise_kelvin = 10;
inline constexpr float jump_rise_factor = 1.5F;
inline constexpr float jump_fall_base_kelvin_per_s = 0.5F;
/// One outlier is a spike (157-59-161 is seen in the wild); the third in a minute is a loose wire.
inline constexpr std::uint32_t jump_spikes = 3;
inline constexpr double jump_spike_memory_s = 60;

// Heat that nobody asked for: time for which a reading may still climb after the power has gone.
// Sensor lag is up to 4 s in a hotend and 14 s in a bed (research/thermal: simulator ranges); a
// ramp of r K/s leaves r times the lag, and after 2.5 lags (bed: 2) 90 % of it has shown.
struct RiseRule {
  float lag_s;               ///< Longest sensor lag of this kind of heater.
  double settle_s;           ///< After power off: allow lag times the fastest rise this long.
  float kelvin;              ///< Then: rise over the lowest reading that is a verdict.
  float drift_kelvin_per_s;  ///< Slower warming is the room, the chamber or a neighbour.
};
/// Hotend: welded 2…5 K/s, above a hot bed 0.05 K/s. Bed: welded 0.3…1.2 K/s, under a hot nozzle
/// or in a heated chamber 0.03 K/s. Chamber: an air sensor regains 10 K in a minute when a door
/// closes.
constexpr RiseRule rise_rule(HeaterKind kind) noexcept {
  switch (kind) {
    case HeaterKind::hotend: return {4, 10, 6, 0.1F};
    case HeaterKind::bed: return {14, 30, 4, 0.05F};
    case HeaterKind::chamber: return {14, 30, 15, 0.2F};
  }
  return {4, 10, 6, 0.1F};
}

// Overshoot: RepRapFirmware's excursion time.
inline constexpr double overshoot_s = 5;
inline constexpr double slope_span_s = 4;             ///< Slope over it: above noise and jitter.
inline constexpr float overshoot_rise_kelvin = 1;     ///< Rising by this within it is heating.
inline constexpr float overshoot_flat_kelvin = 0.3F;  ///< At duty 0 it must have fallen this far.

// Hysteresis: a target counts as reached 2 K below (a PID may settle below it).
inline constexpr float reached_kelvin = 2;
/// RepRapFirmware faults at 15 K for 5 s; a powered heater cannot lose this much this fast, a
/// sensor that fell out does.
constexpr float fell_out_kelvin(HeaterKind kind) noexcept {
  return kind == HeaterKind::hotend ? 25 : 15;
}
constexpr double fell_out_s(HeaterKind kind) noexcept {
  return kind == HeaterKind::hotend ? 10 : 15;
}

// Frozen: the very same number at full power. The recorded Marlin stalls 11 s with its host
// (corpus, autoreport_heatup); a hotend at full power makes 0.3 K/s near its end, 6 K in 20 s.
inline constexpr float full_duty = 0.95F;
inline constexpr std::uint32_t frozen_readings = 5;
constexpr double frozen_s(HeaterKind kind) noexcept { return kind == HeaterKind::hotend ? 20 : 60; }

// Own sensor (research/thermal D8).
inline constexpr float own_kelvin = 15;
inline constexpr double own_s = 10;
inline constexpr double own_fresh_s = 3;

// Blindness (docs/safety.md, times).
inline constexpr double blind_warn_s = 5;
inline constexpr double blind_longest_s = 15;
inline constexpr double blind_shortest_s = 5;
inline constexpr float blind_over_limit_kelvin = 50;
inline constexpr double cold_silence_warn_s = 60;  ///< Cold and silent is switched off: told, only.

// Cooling proof (docs/safety.md, cooling window).
inline constexpr double cooling_hotend_s = 8;
inline constexpr double cooling_bed_s = 25;
inline constexpr double cooling_longest_s = 60;
inline constexpr float cooling_part = 0.3F;  ///< Of the expected rate.
inline constexpr float cooling_quanta = 3;
inline constexpr float noise_kelvin = 0.1F;  ///< A finer resolution is below the ADC's noise.
inline constexpr float cooling_rise_kelvin = 3;
inline constexpr float cold_rise_kelvin = 1;  ///< "No rise" for a reading that is cold already.
inline constexpr double reading_fresh_s = 3;
/// Where a person may touch it; a profile may say less, never more.
constexpr float safe_at_most(HeaterKind kind) noexcept {
  return kind == HeaterKind::hotend ? 60 : 50;
}
/// Natural cooling towards 25 °C: a hotend without fan has tau 90…200 s, a 60 °C glass bed falls
/// 0.05 K/s, tau 700 s; the slow end, so that a healthy heater always passes.
constexpr float cooling_tau_s(HeaterKind kind) noexcept {
  return kind == HeaterKind::hotend ? 200 : 700;
}
inline constexpr float room_celsius = 25;

// Latched and probation.
inline constexpr float revived_rise_kelvin = 5;
/// Reports that were on their way when the latch was set still show the old target.
inline constexpr double latch_grace_s = 2;
inline constexpr double probation_clean_s = 60;
inline constexpr double probation_report_s = 15;  ///< Beyond the profile's boot time.
inline constexpr double probation_confirm_s = 15;

}  // namespace firebreak::guard::thermal
