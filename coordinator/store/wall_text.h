#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace firebreak::coordinator {

/// Milliseconds since 1970 (UTC) as RFC 3339 with milliseconds and Z.
std::string wall_text(std::int64_t unix_ms);

/// RFC 3339 in UTC (`Z`), with or without a fraction, as milliseconds since 1970; nothing for any
/// other text, another offset, or a date that does not exist.
std::optional<std::int64_t> parse_wall(std::string_view text);

}  // namespace firebreak::coordinator
