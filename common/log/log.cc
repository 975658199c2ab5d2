#include "common/log/log.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>

#include "common/base/escape.h"

namespace firebreak::log {
namespace {

std::atomic<Level> least{Level::info};
std::atomic<bool> to_journal{false};
// Written by init() before other threads start, then only read.
std::array<char, 32> program_name{};

// True when stderr is the stream that systemd connected to its journal: $JOURNAL_STREAM is
// "device:inode" of it (systemd.exec(5)).
bool stderr_is_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  if (stream == nullptr) return false;
  unsigned long long device = 0;
  unsigned long long inode = 0;
  struct stat status {};
  return std::sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(2, &status) == 0 &&
         status.st_dev == device && status.st_ino == inode;
}

bool is_token_char(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         c == '-';
}

// Nothing should ever format a token; should it happen, the journal must still not hold one.
void black_out(std::string& text, std::string_view prefix, bool keep_id) {
  for (std::size_t at = text.find(prefix); at != std::string::npos;
       at = text.find(prefix, at + prefix.size())) {
    std::size_t from = at + prefix.size();
    std::size_t to = from;
    while (to < text.size() && is_token_char(text[to])) ++to;
    if (keep_id) {
      const std::size_t underscore = text.find('_', from);
      if (underscore != std::string::npos && underscore < to) from = underscore + 1;
    }
    text.replace(from, to - from, "***");
  }
}

std::string_view name_of(Level level) {
  switch (level) {
    case Level::error: return "error";
    case Level::warning: return "warning";
    case Level::info: return "info";
    case Level::debug: return "debug";
  }
  return "info";
}

void write_all(std::string_view line) noexcept {
  while (!line.empty()) {
    const ssize_t n = ::write(2, line.data(), line.size());
    if (n <= 0) return;  // a log that cannot be written must not stop anything
    line.remove_prefix(static_cast<std::size_t>(n));
  }
}

}  // namespace

void init(std::string_view program, Level least_severe) {
  const std::size_t size = std::min(program.size(), program_name.size() - 1);
  std::memcpy(program_name.data(), program.data(), size);
  program_name[size] = '\0';
  least = least_severe;
  to_journal = stderr_is_journal();
}

bool enabled(Level level) noexcept { return level <= least.load(std::memory_order_relaxed); }

std::string sanitize(std::string_view text) {
  std::string copy(text.substr(0, line_bytes_max));
  black_out(copy, "fbt_", true);
  black_out(copy, "fb1.", false);
  if (text.size() > line_bytes_max) copy += "\xE2\x80\xA6";
  // Backslashes stay single: most lines quote text that was escaped where it came in.
  std::string out;
  std::string_view rest = copy;
  for (;;) {
    const std::size_t at = rest.find('\\');
    out +=
        escape_untrusted(rest.substr(0, at), line_bytes_max - std::min(out.size(), line_bytes_max));
    if (at == std::string_view::npos || out.size() >= line_bytes_max) return out;
    out += '\\';
    rest.remove_prefix(at + 1);
  }
}

void write(Level level, std::string_view text) noexcept try {
  if (!enabled(level)) return;
  std::string line;
  if (to_journal) {
    line = fmt::format("<{}>", static_cast<int>(level));
  } else {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    tm utc{};
    gmtime_r(&now.tv_sec, &utc);
    line = fmt::format("{:02}:{:02}:{:02}.{:03} {} {}: ", utc.tm_hour, utc.tm_min, utc.tm_sec,
                       now.tv_nsec / 1'000'000, name_of(level), program_name.data());
  }
  line += sanitize(text);
  line += '\n';
  write_all(line);
} catch (...) {  // out of memory: the line is lost, the program is not
}

void vwrite(Level level, fmt::string_view format, fmt::format_args args) noexcept try {
  if (!enabled(level)) return;
  fmt::memory_buffer buffer;
  fmt::vformat_to(std::back_inserter(buffer), format, args);
  write(level, {buffer.data(), buffer.size()});
} catch (...) {
}

}  // namespace firebreak::log
