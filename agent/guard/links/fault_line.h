#pragma once

#include <string_view>

#include "agent/guard/links/report_parser.h"

namespace firebreak::guard {

/// Recognises what a firmware prints when it halts or when its own thermal protection acts
/// (Marlin, Prusa MK3 and Buddy, RepRapFirmware, Klipper), and the heater where it names one.
/// False, and `out` untouched, for any other line. Private to the report parser.
bool parse_fault(std::string_view text, ParsedLine& out) noexcept;

}  // namespace firebreak::guard
