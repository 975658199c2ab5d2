#include "coordinator/cli/console.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "common/base/escape.h"

namespace firebreak::cli {
namespace {

// Uncut in a pipe, but still bounded: the longest line of the guard's socket, with its escapes.
constexpr std::size_t shown_bytes_max = 256 * 1024;
constexpr std::string_view gap = "  ";

std::string_view sequence_of(Tone tone) {
  switch (tone) {
    case Tone::good: return "\033[32m";
    case Tone::warning: return "\033[33m";
    case Tone::alarm: return "\033[1;31m";
    case Tone::dim: return "\033[2m";
    case Tone::strong: return "\033[1m";
    case Tone::plain: break;
  }
  return {};
}

}  // namespace

std::size_t shown_width(std::string_view text) {
  // Every byte that does not continue a code point starts one.
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::string cut_to(std::string_view text, std::size_t columns) {
  if (shown_width(text) <= columns) return std::string(text);
  if (columns == 0) return {};
  std::size_t width = 0;
  std::size_t end = 0;
  while (end < text.size()) {
    std::size_t next = end + 1;
    while (next < text.size() && (static_cast<unsigned char>(text[next]) & 0xC0) == 0x80) ++next;
    if (width + 1 > columns - 1) break;
    ++width;
    end = next;
  }
  return std::string(text.substr(0, end)) + "…";
}

std::string age_text(std::optional<std::int64_t> age_ms) {
  if (!age_ms) return "never";
  const double seconds = static_cast<double>(*age_ms) / 1000;
  if (seconds < 10) return fmt::format("{:.1f} s", seconds);
  if (seconds < 120) return fmt::format("{:.0f} s", seconds);
  if (seconds < 2 * 3600) return fmt::format("{:.0f} min", seconds / 60);
  if (seconds < 48 * 3600) return fmt::format("{:.0f} h", seconds / 3600);
  return fmt::format("{:.0f} d", seconds / 86400);
}

std::string Console::paint(std::string_view text, Tone tone, bool terminal) const {
  const auto sequence = sequence_of(tone);
  if (!options_.colour || !terminal || sequence.empty() || text.empty()) return std::string(text);
  return fmt::format("{}{}\033[0m", sequence, text);
}

void Console::table(const Table& table, std::string_view empty) {
  progress("");
  if (table.rows.empty()) return note(empty, Tone::dim);
  std::vector<std::vector<Cell>> rows = table.rows;
  for (auto& row : rows) {
    for (auto& cell : row) cell.text = escape_untrusted(cell.text, shown_bytes_max);
  }
  if (!options_.out_is_terminal) {
    for (const auto& row : rows) {
      for (std::size_t i = 0; i < row.size(); ++i) out_ << (i ? "\t" : "") << row[i].text;
      out_ << '\n';
    }
    out_.flush();
    return;
  }
  std::vector<std::size_t> widths(table.header.size());
  for (std::size_t i = 0; i < widths.size(); ++i) widths[i] = shown_width(table.header[i]);
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size() && i < widths.size(); ++i) {
      widths[i] = std::max(widths[i], shown_width(row[i].text));
    }
  }
  const auto line = [&](const std::vector<Cell>& cells) {
    std::size_t used = 0;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const auto columns = table.cut ? static_cast<std::size_t>(options_.columns) : SIZE_MAX;
      const std::size_t left = columns > used ? columns - used : 0;
      const std::string text = cut_to(cells[i].text, left);
      out_ << paint(text, cells[i].tone, true);
      if (i + 1 == cells.size()) break;
      const std::size_t width = shown_width(text);
      if (width + 1 > left) break;
      out_ << std::string(widths[i] - std::min(widths[i], width), ' ') << gap;
      used += widths[i] + gap.size();
    }
    out_ << '\n';
  };
  std::vector<Cell> header;
  for (const auto& name : table.header) header.push_back({name, Tone::dim});
  line(header);
  for (const auto& row : rows) line(row);
  out_.flush();
}

void Console::row(const std::vector<Cell>& cells, const std::vector<int>& widths) {
  progress("");
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const std::string text = escape_untrusted(cells[i].text, shown_bytes_max);
    if (!options_.out_is_terminal) {
      out_ << (i ? "\t" : "") << text;
      continue;
    }
    out_ << paint(text, cells[i].tone, true);
    const auto width = i < widths.size() ? static_cast<std::size_t>(widths[i]) : 0;
    if (i + 1 == cells.size()) break;
    out_ << std::string(width - std::min(width, shown_width(text)), ' ') << gap;
  }
  out_ << '\n';
  out_.flush();
}

void Console::document(const nlohmann::json& value) {
  progress("");
  // ensure_ascii: every control and every exotic character leaves as \uXXXX.
  out_ << value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace) << '\n';
  out_.flush();
}

void Console::data(std::string_view text) {
  progress("");
  out_ << text;
  out_.flush();
}

void Console::note(std::string_view text, Tone tone) {
  if (options_.json) return;
  progress("");
  err_ << paint(escape_untrusted(text, shown_bytes_max), tone, options_.err_is_terminal) << '\n';
  err_.flush();
}

void Console::heading(std::string_view text, Tone tone) {
  if (!for_people()) return;
  progress("");
  out_ << paint(escape_untrusted(text, shown_bytes_max), tone, true) << '\n';
  out_.flush();
}

void Console::failure(const Failure& failure) {
  progress("");
  if (options_.json) {
    const nlohmann::json value = {{"message_type", "exit_error"},
                                  {"code", static_cast<int>(failure.status)},
                                  {"message", failure.message},
                                  {"next", failure.next}};
    err_ << value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace) << '\n';
  } else {
    const bool terminal = options_.err_is_terminal;
    err_ << paint("firebreak: ", Tone::alarm, terminal)
         << escape_untrusted(failure.message, shown_bytes_max) << '\n'
         << paint("next: ", Tone::strong, terminal)
         << escape_untrusted(failure.next, shown_bytes_max) << '\n';
  }
  err_.flush();
}

void Console::progress(std::string_view text) {
  if (!options_.err_is_terminal || options_.json) return;
  if (text.empty() && !progress_shown_) return;
  const auto columns = static_cast<std::size_t>(std::max(options_.columns - 1, 1));
  err_ << "\r\033[K" << cut_to(escape_untrusted(text, shown_bytes_max), columns);
  err_.flush();
  progress_shown_ = !text.empty();
}

}  // namespace firebreak::cli
