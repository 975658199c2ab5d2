#pragma once

#include <cstddef>

namespace firebreak::guard {

/// Longest line that the control sockets take, without its line feed. A stop for 256 printers with
/// names of 32 characters is 9 KiB; the rest is headroom for a grant's fields and an event's data.
inline constexpr std::size_t control_line_bytes_max = 64 * 1024;

/// Deepest nesting of a request: {"data":{…}} is 2, an event's data may nest a little further.
inline constexpr int control_depth_max = 8;

}  // namespace firebreak::guard
