#pragma once

#include <cstdint>
#include <string_view>

namespace firebreak::guard {

/// What a host's line of G-code asks for, as far as the proxy needs to know. Pure; any bytes.
struct HostLine {
  bool answered = false;  ///< The firmware will say `ok` (not for empty and comment lines).
  char letter = 0;        ///< 'G', 'M', 'T' or 0.
  int number = -1;
  bool heats = false;             ///< Sets, or may set, a target above 0, or tunes a heater.
  bool moves = false;             ///< G0…G3 with an axis.
  bool allowed = false;           ///< On the allowlist, and nothing else is on the line.
  bool waits_for_heat = false;    ///< M109, M190, M191 and the tunings: reports come unasked.
  bool asks_temperature = false;  ///< M105.
  bool sets_autoreport = false;   ///< M155 with S.
  int autoreport_seconds = 0;
  bool forges_report = false;     ///< M118 whose text would read as a report, an ok or a fault.
  bool begins_binary = false;     ///< `M28 B1`: packets follow instead of lines.
  int fan = -1;                   ///< 0…255 for M106/M107 of the part fan, else -1.
  int tool = -1;                  ///< `T0`…`T9`.
  std::int64_t line_number = -1;  ///< `N12 …`, or -1.
};

[[nodiscard]] HostLine parse_host_line(std::string_view line) noexcept;

}  // namespace firebreak::guard
