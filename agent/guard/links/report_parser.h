#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>

namespace firebreak::guard {

/// What a line from a printer is.
enum class LineKind : std::uint8_t {
  empty,
  temperature,  ///< At least one temperature with its heater; may carry the `ok` too.
  ok,
  busy,             ///< `busy: processing`, `paused for …`.
  wait,             ///< `wait` of a firmware that has nothing to do.
  banner,           ///< `start` or another greeting: the board has booted.
  halt,             ///< The firmware says that it has stopped for good.
  thermal_fault,    ///< The firmware's own thermal protection acted.
  thermal_warning,  ///< It noticed something, and goes on.
  resend,
  firmware_info,  ///< Answer to M115.
  capability,     ///< `Cap:…:0|1`.
  error,          ///< `Error:` that is no halt (`Error:EEPROM disabled`).
  echo,
  action,     ///< `//action:…` and other `//` lines.
  malformed,  ///< Looks like a report, but is damaged: no value of it counts.
  other,
};

/// Which heater a value belongs to. Probes, boards, coolers, heatbreaks, ambient and redundant
/// sensors are no heaters that can be guarded, and are left out.
enum class ReportedHeater : std::uint8_t {
  hotend,       ///< Tool `index`, named in the line (`T1:`, or `T:` with `E:1`).
  active_tool,  ///< `T:` alone: the tool that is selected now.
  tool_extra,   ///< A second heater of tool `index` (RepRapFirmware prints it without a key).
  bed,
  chamber,
};

enum class DutyUnit : std::uint8_t {
  none,   ///< The line does not say.
  steps,  ///< 0–127 (Marlin) or 0–255 (others): the line does not say which.
  watts,  ///< `@:12W`: no fraction can be made of it.
};

inline constexpr float no_value = std::numeric_limits<float>::quiet_NaN();

/// One heater in a report. What the line does not say is NaN.
struct ReportedValue {
  ReportedHeater heater = ReportedHeater::active_tool;
  std::uint8_t index = 0;
  float celsius = no_value;
  float target_celsius = no_value;
  float duty = no_value;  ///< In `duty_unit`.
  DutyUnit duty_unit = DutyUnit::none;
};

/// A line, understood. The views point into the line that was parsed.
struct ParsedLine {
  /// Four tools and their second heaters, bed, chamber, the active tool, and room.
  static constexpr std::size_t max_values = 12;

  LineKind kind = LineKind::other;
  bool acknowledges = false;  ///< The line begins with `ok`.
  bool waits = false;         ///< A report from inside M109/M190 (`W:`, or `E:` without target).
  bool has_targets = false;   ///< Every heater in it names its target.
  std::uint8_t value_count = 0;
  std::uint8_t skipped = 0;  ///< Values that belong to no heater.
  std::array<ReportedValue, max_values> storage{};

  bool fault_heater_known = false;  ///< For thermal_fault.
  ReportedHeater fault_heater = ReportedHeater::active_tool;
  std::uint8_t fault_index = 0;

  std::uint32_t resend_line = 0;
  int extruder_count = 0;  ///< 0: not said.
  std::string_view firmware_name, machine_type, uuid;
  std::string_view capability;
  bool capability_on = false;

  [[nodiscard]] std::span<const ReportedValue> values() const noexcept {
    return {storage.data(), value_count};
  }
};

/// Temperatures outside are impossible, and such a line is rejected whole. The coldest room and
/// the hottest thermocouple of any printer lie well within.
inline constexpr float lowest_possible_celsius = -50.0F;
inline constexpr float highest_possible_celsius = 1000.0F;

/// Understands one line without its line end. Pure; allocates nothing; takes any bytes. A line
/// that is damaged anywhere gives no temperature at all.
/// Source of the forms: docs/configuration.md and tests/unit/links/report_lines.h.
[[nodiscard]] ParsedLine parse_line(std::string_view line) noexcept;

}  // namespace firebreak::guard
