#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace firebreak {

/// Longest text of a printer, a peer or a file that is shown to people, in bytes. A Marlin line is
/// at most 96 characters; twice that leaves room for its escapes.
inline constexpr std::size_t untrusted_shown_bytes_max = 200;

/// `text` made harmless for terminals, journals and JSON: valid UTF-8 whose control characters,
/// DEL, C1 controls, line and paragraph separators, bidirectional and zero-width marks are written
/// as `\n`, `\t`, `\xNN` or `\u{N}`; every byte that is not UTF-8 as `\xNN`; a backslash as `\\`.
/// At most `max` bytes; what is cut ends in "…". Use it wherever text that others wrote is shown.
[[nodiscard]] std::string escape_untrusted(std::string_view text,
                                           std::size_t max = untrusted_shown_bytes_max);

/// The same into a buffer of the caller, for threads that must not allocate: returns the number of
/// bytes written (no terminating zero).
[[nodiscard]] std::size_t escape_untrusted_into(std::string_view text,
                                                std::span<char> out) noexcept;

/// True when `text` is well-formed UTF-8 (no surrogates, no overlong forms).
[[nodiscard]] bool is_utf8(std::string_view text) noexcept;

}  // namespace firebreak
