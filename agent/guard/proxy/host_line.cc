#include "agent/guard/proxy/host_line.h"

#include <algorithm>
#include <array>

#include "agent/guard/links/report_parser.h"

namespace firebreak::guard {
namespace {

/// Commands that neither heat, nor move, nor change a setting (docs/safety.md, While latched).
constexpr std::array allowlist{105, 110, 114, 115, 119, 155, 503, 20, 27};

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
char upper(char c) noexcept { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }

std::string_view trim_left(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  return text;
}

/// Number at the front, at most six digits; -1 if there is none.
int take_int(std::string_view& text) noexcept {
  int value = 0, digits = 0;
  while (!text.empty() && is_digit(text.front()) && digits < 6) {
    value = value * 10 + (text.front() - '0');
    text.remove_prefix(1);
    ++digits;
  }
  return digits == 0 ? -1 : value;
}

/// Removes `N123`, comment and checksum: what is left is the command.
std::string_view command_part(std::string_view line, std::int64_t& number) noexcept {
  line = trim_left(line);
  if (line.size() >= 2 && upper(line[0]) == 'N' && is_digit(line[1])) {
    line.remove_prefix(1);
    number = 0;
    while (!line.empty() && is_digit(line.front())) {
      number = std::min<std::int64_t>(number * 10 + (line.front() - '0'), 1'000'000'000);
      line.remove_prefix(1);
    }
    line = trim_left(line);
  }
  const auto end = line.find_first_of(";*");
  return end == std::string_view::npos ? line : line.substr(0, end);
}

/// Finds parameter `letter` behind the command; its text starts right behind the letter.
bool find_parameter(std::string_view parameters, char letter, std::string_view& value) noexcept {
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (upper(parameters[i]) != letter) continue;
    value = trim_left(parameters.substr(i + 1));
    return true;
  }
  return false;
}

/// True if the text starts with a number above 0. Text that is no number counts as 0, as in the
/// firmwares.
bool is_positive(std::string_view value) noexcept {
  if (value.starts_with('+')) value.remove_prefix(1);
  for (const char c : value) {
    if (c >= '1' && c <= '9') return true;
    if (c != '0' && c != '.') return false;
  }
  return false;
}

bool is_heat_command(int number) noexcept {
  return number == 104 || number == 109 || number == 140 || number == 190 || number == 141 ||
         number == 191;
}

/// M104 and its kin: S and R are targets, I a stored preset, B and F automatic targets.
bool sets_heat(int number, std::string_view parameters) noexcept {
  std::string_view value;
  if (number == 303) return true;  // PID tuning heats by itself.
  if (number == 306) return find_parameter(parameters, 'T', value);
  if (!is_heat_command(number)) return false;
  for (const char letter : {'S', 'R', 'B'}) {
    if (find_parameter(parameters, letter, value) && is_positive(value)) return true;
  }
  return find_parameter(parameters, 'I', value);
}

/// A second command on the same line: some firmwares obey it, so it counts as a danger.
bool embeds_heat(std::string_view parameters) noexcept {
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (upper(parameters[i]) != 'M') continue;
    auto rest = trim_left(parameters.substr(i + 1));
    const int number = take_int(rest);
    if (number >= 0 && sets_heat(number, rest)) return true;
  }
  return false;
}

bool moves(int number, std::string_view parameters) noexcept {
  if (number < 0 || number > 3) return false;
  return std::any_of(parameters.begin(), parameters.end(),
                     [](char c) { return upper(c) >= 'X' || upper(c) == 'E'; });
}

/// Only single letters with plain numbers, and none that begins another command.
bool plain_parameters(std::string_view parameters, int number) noexcept {
  bool number_expected = false;
  for (const char c : parameters) {
    const char letter = upper(c);
    if (c == ' ' || c == '\t') continue;
    if (is_digit(c) || c == '.' || c == '-') {
      if (!number_expected) return false;
      continue;
    }
    if (letter < 'A' || letter > 'Z' || letter == 'G' || letter == 'M' || letter == 'T') {
      return false;
    }
    if (letter == 'N' && number != 110) return false;
    number_expected = true;
  }
  return true;
}

bool is_allowed(char letter, int number, std::string_view parameters) noexcept {
  return letter == 'M' &&
         std::find(allowlist.begin(), allowlist.end(), number) != allowlist.end() &&
         plain_parameters(parameters, number);
}

/// M118 prints its text: with `E1`, `A1` and `P` options in front or not.
bool prints_report(std::string_view text) noexcept {
  for (;;) {
    text = trim_left(text);
    const bool option = text.size() >= 2 && (text[0] == 'E' || text[0] == 'A' || text[0] == 'P') &&
                        is_digit(text[1]) && (text.size() == 2 || text[2] == ' ');
    if (!option) break;
    text.remove_prefix(2);
  }
  switch (parse_line(text).kind) {
    case LineKind::empty:
    case LineKind::other:
    case LineKind::echo: return false;
    default: return true;
  }
}

int part_fan(int number, std::string_view parameters) noexcept {
  std::string_view value;
  if (find_parameter(parameters, 'P', value) && take_int(value) > 0) return -1;
  if (number == 107) return 0;
  if (!find_parameter(parameters, 'S', value)) return 255;
  return std::clamp(take_int(value), 0, 255);
}

void parse_m(HostLine& out, std::string_view parameters) noexcept {
  std::string_view value;
  out.heats = sets_heat(out.number, parameters);
  out.waits_for_heat = out.number == 109 || out.number == 190 || out.number == 191 ||
                       out.number == 303 || out.number == 306;
  out.asks_temperature = out.number == 105;
  if (out.number == 155 && find_parameter(parameters, 'S', value)) {
    out.sets_autoreport = true;
    out.autoreport_seconds = std::clamp(take_int(value), 0, 60);
  }
  if (out.number == 28) {
    const auto name = trim_left(parameters);
    out.begins_binary =
        name.size() >= 2 && upper(name[0]) == 'B' && name[1] > '0' && name[1] <= '9';
  }
  if (out.number == 118) {
    // With a checksum behind it the firmware prints what stands before.
    out.forges_report =
        prints_report(parameters) || prints_report(parameters.substr(0, parameters.rfind('*')));
  }
  if (out.number == 106 || out.number == 107) out.fan = part_fan(out.number, parameters);
}

}  // namespace

HostLine parse_host_line(std::string_view line) noexcept {
  HostLine out;
  auto text = command_part(line, out.line_number);
  text = trim_left(text);
  out.answered = !text.empty();
  if (text.empty()) return out;
  const char letter = upper(text.front());
  if (letter != 'G' && letter != 'M' && letter != 'T') return out;
  text = trim_left(text.substr(1));
  const int number = take_int(text);
  if (number < 0) return out;
  out.letter = letter;
  out.number = number;
  if (letter == 'T' && number <= 9) out.tool = number;
  if (letter == 'G') out.moves = moves(number, text);
  // `M118 text*` : the text may hold anything, so it is read from the whole line.
  if (letter == 'M') parse_m(out, number == 118 ? line.substr(line.find("118") + 3) : text);
  const bool text_command = letter == 'M' && (number == 117 || number == 118);
  if (!text_command && embeds_heat(text)) out.heats = true;
  out.allowed = is_allowed(letter, number, text);
  return out;
}

}  // namespace firebreak::guard
