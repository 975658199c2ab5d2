#include "agent/guard/thermal/verdict.h"

#include <cmath>

namespace firebreak::guard::thermal {
namespace {

constexpr auto trip = Level::trip;
constexpr auto warning = Level::warning;

constexpr std::array rule_table{
    RuleInfo{Rule::none, "none", Level::none, Cause::blind, false, LimitUnit::celsius, ""},
    RuleInfo{Rule::limit_high, "limit.high", trip, Cause::over_limit, false, LimitUnit::celsius,
             "at or over the absolute limit"},
    RuleInfo{Rule::limit_low, "limit.low", trip, Cause::short_circuit, true, LimitUnit::celsius,
             "below the minimum: the sensor is open or shorted"},
    RuleInfo{Rule::limit_low_idle, "limit.low-idle", warning, Cause::short_circuit, true,
             LimitUnit::celsius, "below the minimum while idle: a cold room, or a bad sensor"},
    RuleInfo{Rule::reading_impossible, "reading.impossible", trip, Cause::jump, true,
             LimitUnit::celsius, "no heater can read this: the sensor or its wire is bad"},
    RuleInfo{Rule::jump, "jump", trip, Cause::jump, true, LimitUnit::kelvin,
             "jumped further than heat can: the sensor or its wire is bad"},
    RuleInfo{Rule::jump_spikes, "jump.spikes", trip, Cause::jump, true, LimitUnit::kelvin,
             "jumps again and again: a loose sensor wire"},
    RuleInfo{Rule::heating_rate, "heating.rate", trip, Cause::heater_open, true,
             LimitUnit::kelvin_in_time, "does not warm as it must: heater or sensor is off"},
    RuleInfo{Rule::heating_idle, "heating.idle", warning, Cause::heater_open, false,
             LimitUnit::kelvin, "below its target, and the firmware does not heat"},
    RuleInfo{Rule::hysteresis_heater, "hysteresis.heater", trip, Cause::heater_open, true,
             LimitUnit::kelvin_in_time, "fell below its target: heater or sensor is off"},
    RuleInfo{Rule::hysteresis_sensor, "hysteresis.sensor", trip, Cause::sensor_out, true,
             LimitUnit::kelvin_in_time, "fell faster than a heater cools: the sensor is out"},
    RuleInfo{Rule::overshoot, "overshoot", trip, Cause::stuck_on, false, LimitUnit::kelvin_in_time,
             "heats past its target: the heater's switch is stuck"},
    RuleInfo{Rule::idle_rise, "idle-rise", trip, Cause::stuck_on, false, LimitUnit::kelvin,
             "warms though nothing asks for heat: the heater's switch is stuck"},
    RuleInfo{Rule::frozen, "frozen", trip, Cause::frozen, true, LimitUnit::seconds,
             "the same number at full power: the reading is frozen"},
    RuleInfo{Rule::own_sensor_apart, "own-sensor.apart", trip, Cause::sensor_out, true,
             LimitUnit::kelvin_in_time, "the board's own sensor says otherwise"},
    RuleInfo{Rule::own_sensor_limit, "own-sensor.limit", trip, Cause::over_limit, false,
             LimitUnit::celsius, "the board's own sensor is at or over the limit"},
    RuleInfo{Rule::own_sensor_stale, "own-sensor.stale", warning, Cause::sensor_out, false,
             LimitUnit::seconds, "the board's own sensor is silent"},
    RuleInfo{Rule::blind_warning, "blind.warning", warning, Cause::blind, false, LimitUnit::seconds,
             "no temperature while it may be hot"},
    RuleInfo{Rule::blind, "blind", trip, Cause::blind, true, LimitUnit::seconds,
             "no temperature for longer than is safe while it may be hot"},
    RuleInfo{Rule::silent_cold, "silent.cold", warning, Cause::blind, false, LimitUnit::seconds,
             "no temperature; it was cold when it was last heard"},
};
static_assert(rule_table.size() == static_cast<std::size_t>(Rule::count));
constexpr bool in_order() {
  for (std::size_t i = 0; i < rule_table.size(); ++i) {
    if (static_cast<std::size_t>(rule_table[i].rule) != i) return false;
  }
  return true;
}
static_assert(in_order());

/// Appends to a fixed buffer; what does not fit is dropped.
class Writer {
 public:
  explicit Writer(std::array<char, 161>& out) noexcept : out_(out) {}
  ~Writer() { out_[length_] = '\0'; }

  Writer& text(std::string_view part) noexcept {
    for (const char c : part) {
      if (length_ + 1 < out_.size()) out_[length_++] = c;
    }
    return *this;
  }

  /// With one decimal place, or whole when `decimals` is false.
  Writer& number(float value, bool decimals) noexcept {
    if (!std::isfinite(value)) return text("unknown");
    if (std::fabs(value) > 99999.0F) return text(value < 0 ? "below -99999" : "over 99999");
    auto tenths = static_cast<long>(std::lround(std::fabs(value) * 10));
    if (value < 0 && tenths > 0) text("-");
    if (!decimals) tenths = (tenths + 5) / 10 * 10;
    whole(tenths / 10);
    if (decimals) {
      text(".");
      whole(tenths % 10);
    }
    return *this;
  }

 private:
  void whole(long value) noexcept {
    std::array<char, 12> digits{};
    std::size_t count = 0;
    do {
      digits[count++] = static_cast<char>('0' + value % 10);
      value /= 10;
    } while (value > 0 && count < digits.size());
    while (count > 0) text({&digits[--count], 1});
  }

  std::array<char, 161>& out_;
  std::size_t length_ = 0;
};

}  // namespace

const RuleInfo& info(Rule rule) noexcept {
  const auto index = static_cast<std::size_t>(rule);
  return rule_table[index < rule_table.size() ? index : 0];
}

void describe(const Finding& finding, std::string_view heater, float celsius, float target_celsius,
              std::array<char, 161>& text) noexcept {
  const auto& rule = info(finding.rule);
  Writer out(text);
  out.text(heater).text(" ");
  out.number(celsius, true).text(std::isfinite(celsius) ? " °C" : "");
  out.text(", target ").number(target_celsius, true);
  out.text(std::isfinite(target_celsius) ? " °C" : "").text(", limit ");
  switch (rule.unit) {
    case LimitUnit::celsius: out.number(finding.limit, true).text(" °C"); break;
    case LimitUnit::kelvin: out.number(finding.limit, true).text(" K"); break;
    case LimitUnit::kelvin_in_time:
      out.number(finding.limit, true).text(" K in ").number(finding.seconds, false).text(" s");
      break;
    case LimitUnit::seconds: out.number(finding.limit, true).text(" s"); break;
  }
  out.text(": ").text(rule.sentence);
}

}  // namespace firebreak::guard::thermal
