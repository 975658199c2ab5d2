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

/// An idle hotend that rises by so much in a second is heated, whatever stands around it: half of
/// the kelvin are enough then.
inline constexpr float idle_steep_kelvin_per_s = 1;
inline constexpr float idle_steep_factor = 0.5F;

// Overshoot: RepRapFirmware's excursion time.
inline constexpr double overshoot_s = 5;
inline constexpr float overshoot_clear_kelvin = 2;
inline constexpr float overshoot_learned_factor = 1.5F;  ///< Where the model watches as well.
inline constexpr double slope_span_s = 4;                ///< Slope over it: above noise and jitter.
inline constexpr float overshoot_rise_kelvin = 1;        ///< Rising by this within it is heating.
inline constexpr float overshoot_flat_kelvin = 0.3F;  ///< At duty 0 it must have fallen this far.

// Hysteresis: a target counts as reached 2 K below (a PID may settle below it).
inline constexpr float reached_kelvin = 2;
inline constexpr float recovered_kelvin = 1.5F;  ///< Over its lowest: more than noise.
/// So many periods are given where there is a reason for slowness that is no fault.
inline constexpr double patient_periods = 3;
/// With a learned model: a bed that is at the end of its power in a draft falls by up to 15 K.
inline constexpr float hysteresis_learned_factor = 5;
/// RepRapFirmware faults at 15 K for 5 s; a powered heater cannot lose this much this fast, a
/// sensor that fell out does.
constexpr float fell_out_kelvin(HeaterKind kind) noexcept {
  return kind == HeaterKind::hotend ? 25 : 15;
}
constexpr double fell_out_s(HeaterKind kind) noexcept {
  return kind == HeaterKind::hotend ? 10 : 15;
}

/// A gain is demanded in one period of so much power and more, in `patient_periods` of less.
inline constexpr float watch_duty_least = 0.5F;

// Heating rate of a learned model: the rule asks only where this many times the gain is expected.
inline constexpr float weak_factor = 8;

// Frozen: the very same number at full power. The recorded Marlin stalls 11 s with its host
// (corpus, autoreport_heatup); a hotend at full power makes 0.3 K/s near its end, 6 K in 20 s.
inline constexpr float full_duty = 0.95F;
inline constexpr std::uint32_t frozen_readings = 5;
constexpr double frozen_s(HeaterKind kind) noexcept { return kind == HeaterKind::hotend ? 20 : 60; }

// The plant model (plant_model.h).
/// Beyond this from its target every controller is saturated: Marlin's PID_FUNCTIONAL_RANGE is 10;
/// a bang-bang bed swings by less.
constexpr float assumed_duty_kelvin(HeaterKind kind) noexcept {
  return kind == HeaterKind::hotend ? 20 : 10;
}
inline constexpr float assumed_duty_doubt = 0.25F;  ///< A power cap, or a ramp of the target.
/// A surprise of so much in one reading waits for the next: single spikes are life.
inline constexpr float leap_kelvin = 4;
inline constexpr float leap_quanta = 2;
inline constexpr float leap_confirmed_factor = 4;  ///< A spike is further off than what it follows.
inline constexpr float gap_longest_s = 15;         ///< As long as a source may be blind.
inline constexpr float flow_highest_mm3_per_s = 60;
inline constexpr float unknown_fan = 0.35F;
inline constexpr float unknown_flow_mm3_per_s = 10;  ///< A usual hotend melts 10…15.
inline constexpr float flow_doubt = 0.4F;            ///< Filament, and what melts on its way.
constexpr float settled_kelvin(HeaterKind kind) noexcept {
  return kind == HeaterKind::bed ? 1.5F : 3.0F;
}
inline constexpr double settled_s = 20;
/// The loss may be scaled by so much, and by no more power than a tenth: a stuck switch makes more.
inline constexpr float loss_scale_at_most = 0.5F;
inline constexpr float loss_learned_power = 0.10F;
inline constexpr float loss_learned_s = 150;
/// Where a reading does not settle (a bang-bang bed), a draft that has gone must not be believed
/// on.
inline constexpr float loss_forgotten_s = 900;
inline constexpr float ambient_below_kelvin = 25;
inline constexpr float ambient_above_kelvin = 15;
inline constexpr double room_known_after_s = 1800;
inline constexpr float slack_of_interval = 0.5F;  ///< A step is anywhere between two readings.
inline constexpr float slack_lasts_s = 15;
/// Control that is as fast as the reports (a bang-bang bed told every 5 s) may be on for less time
/// than a straight line from report to report says, again and again.
inline constexpr float slow_report_s = 2.5F;
inline constexpr float step_switched = 0.5F;  ///< A step of the duty that is a switch.
inline constexpr float step_doubt = 0.25F;

// Learning (model_fit.h): what a good fit cannot know. The supply sags by up to 7 % when another
// heater switches on, and a room's drafts are not those of the run.
inline constexpr double fit_rise_doubt = 0.06;
inline constexpr double fit_slow_rise_doubt = 0.15;  ///< At 5 s reports duty is known by chance.
inline constexpr float fit_lag_doubt = 0.25F;        ///< Of the lags' sum.
inline constexpr double fit_loss_doubt = 0.25;
/// A chamber's walls warm for an hour: until then its air loses heat to them, afterwards hardly
/// any.
inline constexpr double fit_chamber_loss_doubt = 1;
inline constexpr float fit_residual_most = 0.08F;

// D2 (unexplained_power_detector.h), D6, D9. Tuned on the bench's tuning families.
struct PowerRule {
  float margin;       ///< k0: unexplained power that never adds up.
  float draft;        ///< Further part of the loss that a draft, a door or a sock may add.
  float more_kelvin;  ///< h upwards, as heat: what full power makes in h seconds …
  float more_s;       ///< … and not less than this.
  float less_kelvin;  ///< h downwards.
  float less_s;
  float above_kelvin;  ///< Further above its target it is not held by its controller.
  float below_kelvin;
};
constexpr PowerRule power_rule(HeaterKind kind) noexcept {
  switch (kind) {
    case HeaterKind::hotend: return {0.12F, 0.1F, 6, 0.8F, 7, 2, 2, 4};
    case HeaterKind::bed: return {0.11F, 0.25F, 1.9F, 3.8F, 2.7F, 4.8F, 1, 1.5F};
    case HeaterKind::chamber: return {0.40F, 0.3F, 12, 25, 12, 25, 4, 6};
  }
  return {0.12F, 0.1F, 6, 0.8F, 7, 2, 2, 4};
}
inline constexpr float power_held_factor = 3;
inline constexpr float power_unlearned_s = 2;  ///< Upwards at least, without a learned model.
/// Upwards less is waited for the hotter it will get: past its target by this, with what the lags
/// hold back, and in inverse proportion beyond, down to a part.
inline constexpr float power_patience_kelvin = 12;
inline constexpr float power_patience_least = 0.35F;
/// RepRapFirmware's: a reading that comes so near its target has arrived.
inline constexpr float arrived_kelvin = 1;
/// A reading at its target at nearly full power: not held, or frozen.
inline constexpr float power_full = 0.85F;
inline constexpr float power_full_factor = 6;
/// A draft, a door or a sagging supply takes a part of the power; more than this part of what is
/// asked for is not on its way at all, also while the reading is still near its target.
inline constexpr float power_lost_part = 0.6F;
inline constexpr float power_lost_s = 15;
inline constexpr float power_asked_least = 0.25F;
inline constexpr float power_lost_factor = 1.5F;
/// S- forgets: a model that is off a little more than its margins (a room that has cooled, a
/// bang-bang bed that never settles) must not add up for ten minutes; an open heater takes one.
inline constexpr float power_never = 1e9F;
inline constexpr float power_forget_s = 100;
inline constexpr float power_quanta = 1.5F;
inline constexpr float power_interval_part = 0.3F;  ///< Of the time between two reports.
inline constexpr std::uint32_t power_readings = 2;
inline constexpr float power_on_its_way = 0.4F;
inline constexpr float power_sum_most_s = 1000;
inline constexpr float power_mean_s = 5;
/// A sensor in the air falls with 3…10 s; a block or bed at a hundred and more.
inline constexpr float sensor_out_factor = 2.5F;
constexpr float sensor_out_kelvin_per_s(HeaterKind kind) noexcept {
  return kind == HeaterKind::hotend ? 1.5F : 0.3F;
}
inline constexpr float drift_mean_s = 90;
constexpr float drift_power(HeaterKind kind) noexcept {
  return kind == HeaterKind::chamber ? 0.35F : 0.12F;
}
inline constexpr float supply_mean_s = 4;
inline constexpr float supply_asked_least = 0.1F;
inline constexpr float supply_missing_part = 0.6F;
inline constexpr float supply_missing_least = 0.2F;
inline constexpr float supply_missing_most = 1.3F;
inline constexpr double supply_held_s = 120;

// D4 (still_detector.h): ADC noise makes the last digit dance; research/thermal D4.
inline constexpr float still_quantum_kelvin = 0.5F;
inline constexpr double still_least_s = 12;
inline constexpr float still_log_chance = -20.72F;  ///< ln 1e-9.
inline constexpr float still_rate_least = 0.12F;
inline constexpr float still_memory = 2000;
inline constexpr float still_longest_s = 180;
inline constexpr float still_near_kelvin = 3;  ///< Near its target a reading is held.
/// A heater that has just arrived swings, and its runs are short.
inline constexpr float still_settled_s = 600;
inline constexpr float still_settled_most_s = 1e6F;
inline constexpr float still_unsettled_factor = 2;  ///< Before that, of the logarithm.
inline constexpr float still_block = 30;            ///< Readings.
inline constexpr float still_noise_part = 0.7F;     ///< Of the variance: some of it is control.
inline constexpr float still_forget = 0.9995F;      ///< A run: half forgotten after 1,400 runs.
inline constexpr float still_longest_factor = 2;
/// The longest run of ten minutes is not yet the longest of a year.
inline constexpr float still_longest_factor_pairs = 3;
/// A sensor whose noise is far below its step repeats for as long as its surroundings are calm, and
/// so does the duty: the runs of a night's pause are no sample of one chance.
inline constexpr float still_quiet_chance = 0.9F;
inline constexpr float still_quiet_factor = 2;
inline constexpr float still_pairs_least = 60;      ///< Readings that could repeat with their duty.
inline constexpr float still_late_errors = 2;       ///< Standard errors of a learned chance.
inline constexpr std::uint32_t still_pair_run = 3;  ///< Shorter runs are told by the noise.
inline constexpr float still_late_more = 0.15F;     ///< Chance of one more repeat, late over early.
/// A controller that sees a frozen reading still moves its duty now and then: integral, fan.
inline constexpr float still_frozen_change = 0.1F;
inline constexpr float still_late_prior = 8;  ///< Runs that this guess is worth.
inline constexpr float still_disturbed_s = 20;
inline constexpr float still_usual_s = 600;
inline constexpr float still_disturbed_part = 0.5F;
inline constexpr float still_margin = 0.05F;      ///< Power that the model may always be off.
inline constexpr float still_width_steps = 1.5F;  ///< A reading in its step, with some noise.
inline constexpr float still_width_kelvin = 0.05F;
inline constexpr float still_duty_step_most = 0.05F;  ///< As coarse as a duty is told.
inline constexpr float still_independent_per_s = 2;   ///< Faster readings are not independent.

// A reading that stops on its way to the target: a host's hiccup repeats a value for a second or
// two; RepRapFirmware looks for a rise as soon as it expects 3 K.
inline constexpr std::uint32_t still_stopped_repeats = 2;
inline constexpr double still_stopped_s = 4;
constexpr float still_stopped_kelvin(HeaterKind kind) noexcept {
  return kind == HeaterKind::hotend ? 3.0F : 1.5F;
}

// Own sensor (research/thermal D8).
inline constexpr float own_kelvin = 15;
inline constexpr double own_s = 10;
inline constexpr double own_fresh_s = 3;

// Blindness (docs/safety.md, times).
inline constexpr double blind_warn_s = 5;
/// A source that reports every 5 s is not late at 5 s: two of its reports must be missing.
inline constexpr float blind_warn_intervals = 2.5F;
inline constexpr double blind_interval_most_s = 6;  ///< 2.5 times it is the longest silence.
inline constexpr float blind_interval_part = 0.1F;  ///< Of a new interval in the learned one.
inline constexpr double blind_longest_s = 15;
inline constexpr double blind_shortest_s = 5;
inline constexpr float blind_over_limit_kelvin = 50;
inline constexpr double blind_network_steady_s = 60;   ///< Verified firmware that held its target.
inline constexpr double blind_restart_s = 30;          ///< Klipper, SAVE_CONFIG with targets at 0.
inline constexpr float blind_idle_rise_kelvin = 0.5F;  ///< More between two readings is a rise.
inline constexpr double cold_silence_warn_s = 60;  ///< Cold and silent is switched off: told, only.

// Cooling proof (docs/safety.md, cooling window).
inline constexpr double cooling_hotend_s = 8;
inline constexpr double cooling_bed_s = 25;
inline constexpr double cooling_longest_s = 60;
inline constexpr float cooling_part = 0.3F;  ///< Of the expected rate.
inline constexpr float cooling_quanta = 3;
inline constexpr float cooling_learned_part = 0.5F;  ///< Of a learned loss.
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
