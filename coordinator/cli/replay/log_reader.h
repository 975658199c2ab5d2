#pragma once

#include <string_view>

#include "common/base/result.h"
#include "coordinator/cli/replay/trace.h"

namespace firebreak::cli::replay {

/// Which kind of recording a text is, by its own lines.
enum class LogKind { none, octoprint, klippy };
[[nodiscard]] LogKind kind_of_log(std::string_view text);

/// OctoPrint's serial.log: the time, then `Recv:` lines with reports and `Send:` lines, of which
/// part fan and extrusion are taken. Lines of other kinds are skipped: a log holds much else. A
/// report that is damaged gives no value, as in the guard. Times may cross midnight.
[[nodiscard]] Result<Trace> parse_octoprint_log(std::string_view text, const std::string& name);

/// Klipper's klippy.log: `Stats` lines (1 Hz) with `extruder:` and `heater_bed:` fields target,
/// temp, pwm. A second log in the file (a restart) begins with a time that is lower: refused, with
/// the line to cut at.
[[nodiscard]] Result<Trace> parse_klippy_log(std::string_view text, const std::string& name);

}  // namespace firebreak::cli::replay
