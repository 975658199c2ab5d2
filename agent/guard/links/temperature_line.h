#pragma once

#include <string_view>

#include "agent/guard/links/report_parser.h"

namespace firebreak::guard {

/// What became of a line that might be a temperature report.
enum class ReportVerdict : std::uint8_t {
  no_report,  ///< Something else.
  report,     ///< `out` holds every value.
  not_ready,  ///< Klipper's `T:0` before it knows anything: no temperature.
  damaged,    ///< A report with a damaged part: nothing in it counts.
};

/// Reads the keys of a report (`T:209.87 /210.00 B:59.96 /60.00 @:71 B@:33`) into `out`. `text` has
/// neither `ok` nor leading blanks. Private to the report parser.
[[nodiscard]] ReportVerdict parse_temperatures(std::string_view text, ParsedLine& out) noexcept;

}  // namespace firebreak::guard
