#include "agent/guard/links/report_parser.h"

#include "agent/guard/links/fault_line.h"
#include "agent/guard/links/report_scanner.h"
#include "agent/guard/links/temperature_line.h"

namespace firebreak::guard {
namespace {

bool starts_with_no_case(std::string_view text, std::string_view lower) noexcept {
  if (text.size() < lower.size()) return false;
  for (std::size_t i = 0; i < lower.size(); ++i) {
    const char c = text[i] >= 'A' && text[i] <= 'Z' ? static_cast<char>(text[i] + 32) : text[i];
    if (c != lower[i]) return false;
  }
  return true;
}

std::string_view trim(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::uint32_t leading_number(std::string_view text) noexcept {
  std::uint32_t number = 0;
  for (const char c : text) {
    if (!Scanner::is_digit(c) || number > 100'000'000) break;
    number = number * 10 + static_cast<std::uint32_t>(c - '0');
  }
  return number;
}

/// Position of the next ` KEY:` (capitals and `_`, at least three) at or behind `from`.
std::size_t next_info_key(std::string_view text, std::size_t from) noexcept {
  for (std::size_t i = from; i < text.size(); ++i) {
    if (text[i] != ' ') continue;
    std::size_t end = i + 1;
    while (end < text.size() && ((text[end] >= 'A' && text[end] <= 'Z') || text[end] == '_')) ++end;
    if (end >= i + 4 && end < text.size() && text[end] == ':') return i;
  }
  return text.size();
}

void parse_firmware_info(std::string_view text, ParsedLine& out) noexcept {
  out.kind = LineKind::firmware_info;
  std::size_t at = 0;
  while (at < text.size()) {
    const auto end = next_info_key(text, at + 1);
    const auto field = trim(text.substr(at, end - at));
    const auto colon = field.find(':');
    const auto value = trim(field.substr(colon + 1));
    const auto key = field.substr(0, colon);
    if (key == "FIRMWARE_NAME") out.firmware_name = value;
    if (key == "MACHINE_TYPE") out.machine_type = value;
    if (key == "UUID") out.uuid = value;
    if (key == "EXTRUDER_COUNT" && leading_number(value) <= 100) {
      out.extruder_count = static_cast<int>(leading_number(value));
    }
    at = end;
  }
}

bool parse_capability(std::string_view text, ParsedLine& out) noexcept {
  if (!text.starts_with("Cap:")) return false;
  text.remove_prefix(4);
  const auto colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  out.kind = LineKind::capability;
  out.capability = text.substr(0, colon);
  out.capability_on = trim(text.substr(colon + 1)) == "1";
  return true;
}

bool is_banner(std::string_view text) noexcept {
  if (text == "start" || text == "PowerUp" || text == "Grbl") return true;
  if (text.ends_with(" Initialized") || text.starts_with("Marlin ")) return true;
  for (const auto reset :
       {"External Reset", "Brown out Reset", "Watchdog Reset", "Software Reset"}) {
    if (text == reset) return true;
  }
  return text == "// Klipper state: Ready" || text.starts_with("echo:Marlin ") ||
         text.starts_with("RepRapFirmware for");
}

bool parse_resend(std::string_view text, ParsedLine& out) noexcept {
  std::size_t skip = 0;
  if (starts_with_no_case(text, "resend:")) {
    skip = 7;
  } else if (text.starts_with("rs ") || text.starts_with("rs:")) {
    skip = 3;
  } else {
    return false;
  }
  out.kind = LineKind::resend;
  text = trim(text.substr(skip));
  if (text.starts_with('N')) text.remove_prefix(1);
  if (text.starts_with(':')) text = trim(text.substr(1));
  out.resend_line = leading_number(text);
  return true;
}

bool parse_busy(std::string_view text, ParsedLine& out) noexcept {
  if (text.starts_with("echo:")) text.remove_prefix(5);
  text = trim(text);
  if (starts_with_no_case(text, "busy:")) {
    out.kind = LineKind::busy;
  } else if (text == "wait") {
    out.kind = LineKind::wait;
  } else {
    return false;
  }
  return true;
}

/// Behind an `ok`: the fields of ADVANCED_OK (`N41 P15 B3`), which look like temperatures.
std::string_view skip_advanced_ok(std::string_view text) noexcept {
  for (;;) {
    text = trim(text);
    if (text.size() < 2 || std::string_view("NPB").find(text[0]) == std::string_view::npos) break;
    std::size_t end = 1;
    while (end < text.size() && Scanner::is_digit(text[end])) ++end;
    if (end == 1 || (end < text.size() && text[end] != ' ')) break;
    text.remove_prefix(end);
  }
  return text;
}

/// Sorts what is neither a fault nor a report.
void parse_plain(std::string_view text, ParsedLine& out) noexcept {
  if (is_banner(text)) {
    out.kind = LineKind::banner;
  } else if (parse_busy(text, out) || parse_resend(text, out) || parse_capability(text, out)) {
    return;
  } else if (text.starts_with("FIRMWARE_NAME:")) {
    parse_firmware_info(text, out);
  } else if (starts_with_no_case(text, "error:") || text.starts_with("!!")) {
    out.kind = LineKind::error;
  } else if (text.starts_with("echo:")) {
    out.kind = LineKind::echo;
  } else if (text.starts_with("//")) {
    out.kind = LineKind::action;
  }
}

bool is_prose(std::string_view text) noexcept {
  return text.starts_with("echo:") || text.starts_with("//") || text.starts_with("Cap:") ||
         text.starts_with("FIRMWARE_NAME:") || starts_with_no_case(text, "error:") ||
         text.starts_with("!!");
}

}  // namespace

ParsedLine parse_line(std::string_view line) noexcept {
  ParsedLine out;
  std::string_view text = trim(line);
  if (text.empty()) {
    out.kind = LineKind::empty;
    return out;
  }
  if (text == "ok" || text.starts_with("ok ") || text.starts_with("ok\t")) {
    out.acknowledges = true;
    out.kind = LineKind::ok;
    text = skip_advanced_ok(text.substr(2));
    if (text.empty()) return out;
  }
  if (!out.acknowledges && parse_fault(text, out)) return out;
  if (!is_prose(text)) {
    switch (parse_temperatures(text, out)) {
      case ReportVerdict::report: out.kind = LineKind::temperature; return out;
      case ReportVerdict::damaged: out.kind = LineKind::malformed; return out;
      case ReportVerdict::not_ready: return out;
      case ReportVerdict::no_report: break;
    }
  }
  parse_plain(text, out);
  return out;
}

}  // namespace firebreak::guard
