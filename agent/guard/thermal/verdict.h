#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "agent/guard/core/shared.h"
#include "agent/guard/machine/cause.h"

namespace firebreak::guard::thermal {

enum class Level : std::uint8_t { none, warning, trip };

/// Every rule once; the number is the bit in a heater's set of active rules. Names and sentences
/// are in rule_table, the story of each in docs/thermal-rules.md.
enum class Rule : std::uint8_t {
  none,
  limit_high,
  limit_low,
  limit_low_idle,
  reading_impossible,
  jump,
  jump_spikes,
  heating_rate,
  heating_idle,
  hysteresis_heater,
  hysteresis_sensor,
  overshoot,
  idle_rise,
  frozen,
  own_sensor_apart,
  own_sensor_limit,
  own_sensor_stale,
  blind_warning,
  blind,
  silent_cold,
  power_unexplained,
  power_missing,
  power_sensor_out,
  still,
  drift_more,
  drift_less,
  supply_fell,
  count
};

/// What the number in Finding::limit is.
enum class LimitUnit : std::uint8_t {
  celsius,
  kelvin,
  kelvin_in_time,
  seconds,
  full_power_seconds,  ///< Heat, as seconds of this heater's full power.
  power_percent        ///< A fraction of full power, told in percent.
};

/// Which way a reading goes against what is expected.
enum class Direction : std::uint8_t { none, more_heat, less_heat };

struct RuleInfo {
  Rule rule;
  std::string_view name;  ///< The word in logs and docs.
  Level level;
  Cause cause;         ///< Means nothing for a warning.
  bool doubts_sensor;  ///< The sensor that was read is no proof of anything from now on.
  LimitUnit unit;
  std::string_view sentence;
  /// Rests on a model of the heater (D2, D4, D6): the verdicts that watch mode mutes.
  bool model_based = false;
  Direction direction = Direction::none;
};

/// The detector that a rule belongs to: "D1" … "D9" (docs/thermal-rules.md).
std::string_view detector(Rule rule) noexcept;

/// The row of `rule`. O(1).
const RuleInfo& info(Rule rule) noexcept;

/// What a detector found in one step: numbers only, so that finding costs nothing. Plain data.
struct Finding {
  Rule rule = Rule::none;
  float limit = unknown;              ///< In the rule's unit.
  float seconds = unknown;            ///< For how long, or within what time.
  float unexplained_power = unknown;  ///< Fraction of full power; above 0 = more heat.
};

/// A finding with everything that a machine needs to act and a person to understand. Plain data.
struct Verdict {
  Level level = Level::none;
  Cause cause = Cause::blind;
  std::uint8_t heater = 0;  ///< Index in the profile's heaters.
  Rule rule = Rule::none;
  bool doubts_sensor = false;
  bool onset = false;    ///< First step of this verdict: the one to log.
  bool muted = false;    ///< Watch mode: told only.
  bool widened = false;  ///< Fan, flow or duty was unknown: a larger threshold was used.
  Direction direction = Direction::none;
  float unexplained_power = unknown;  ///< Fraction of full power; NaN where no model is used.
  std::array<char, 161> text{};       ///< Zero-ended; filled on onset only.
};

/// Writes "hotend 212.3 °C, target 200.0 °C, limit 5.0 K in 5 s: sentence" (at most 160 bytes)
/// without allocation or locale. Unknown numbers are written as "unknown".
void describe(const Finding& finding, std::string_view heater, float celsius, float target_celsius,
              std::array<char, 161>& text) noexcept;

}  // namespace firebreak::guard::thermal
