#pragma once

#include <fmt/core.h>

#include <string>
#include <string_view>
#include <utility>

namespace firebreak::log {

/// Severity, with syslog's numbers.
enum class Level { error = 3, warning = 4, info = 6, debug = 7 };

/// Longest line; the rest is cut with "…".
inline constexpr std::size_t line_bytes_max = 2048;

/// Names the program and the least severe level that is written. Call once, before other threads.
/// When stderr is systemd's journal ($JOURNAL_STREAM names it), lines begin with its priority mark
/// `<3>` and carry no time; else "12:34:56.789 warning program: text" for people.
void init(std::string_view program, Level least = Level::info);

/// True when lines of this level are written.
[[nodiscard]] bool enabled(Level level) noexcept;

/// Writes one line to stderr: control characters escaped, tokens (fbt_…, fb1.…) blacked out, at
/// most line_bytes_max bytes, in one write(2), so that lines of several threads do not mix.
/// Thread-safe; never throws; allocates: not for the threads estop, link and monitor.
void write(Level level, std::string_view text) noexcept;

/// What write() would put on a line for `text`, without mark, time and newline. For tests.
[[nodiscard]] std::string sanitize(std::string_view text);

/// fmt-style front ends: log::warning("{}: port {} is taken by pid {}", printer, port, pid).
void vwrite(Level level, fmt::string_view format, fmt::format_args args) noexcept;

template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  vwrite(Level::error, format, fmt::make_format_args(args...));
}
template <class... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
  vwrite(Level::warning, format, fmt::make_format_args(args...));
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  vwrite(Level::info, format, fmt::make_format_args(args...));
}
template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::debug)) vwrite(Level::debug, format, fmt::make_format_args(args...));
}

}  // namespace firebreak::log
