#pragma once

#include <string_view>

namespace firebreak {

/// Whether `text` opens no more than `depth_max` brackets at once outside of strings. A scan
/// without recursion or allocation that comes before a JSON parser, whose stack a nesting of
/// 100,000 would eat. It promises nothing else about the text.
bool nesting_within(std::string_view text, int depth_max) noexcept;

}  // namespace firebreak
