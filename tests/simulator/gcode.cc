#include "tests/simulator/gcode.h"

#include <cstdlib>

namespace firebreak::sim {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string_view skip_blanks(std::string_view text) {
  const std::size_t start = text.find_first_not_of(' ');
  return start == std::string_view::npos ? std::string_view() : text.substr(start);
}

std::string_view skip_line_number(std::string_view text) {
  if (text.size() < 2 || text[0] != 'N' || !(is_digit(text[1]) || text[1] == '-')) return text;
  std::size_t at = 2;
  while (at < text.size() && is_digit(text[at])) ++at;
  return skip_blanks(text.substr(at));
}

std::string_view strip_checksum(std::string_view text) {
  const std::size_t star = text.find('*');
  if (star == std::string_view::npos) return text;
  text = text.substr(0, star);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

}  // namespace

std::optional<double> Command::value(char name) const {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] != name) continue;
    const std::string_view rest = skip_blanks(std::string_view(arguments).substr(i + 1));
    // strtod would take "inf", "nan", "1e5" and hexadecimal; the firmware takes none of them.
    std::string number;
    for (const char c : rest) {
      const bool sign = (c == '-' || c == '+') && number.empty();
      if (!is_digit(c) && c != '.' && !sign) break;
      number += c;
    }
    return std::strtod(number.c_str(), nullptr);
  }
  return std::nullopt;
}

Command parse_command(std::string_view line) {
  Command command;
  const std::string_view text = strip_checksum(skip_line_number(skip_blanks(line)));
  command.text = std::string(text);
  if (text.empty()) return command;
  const char letter = text[0];
  if (letter != 'G' && letter != 'M' && letter != 'T') return command;
  std::string_view rest = skip_blanks(text.substr(1));
  if (rest.empty() || !is_digit(rest[0])) return command;
  std::size_t digits = 0;
  int number = 0;
  while (digits < rest.size() && is_digit(rest[digits])) {
    if (number < 100000) number = number * 10 + (rest[digits] - '0');
    ++digits;
  }
  rest = rest.substr(digits);
  if (!rest.empty() && rest[0] == '.') {  // a sub-command number, ignored
    std::size_t at = 1;
    while (at < rest.size() && is_digit(rest[at])) ++at;
    rest = rest.substr(at);
  }
  command.letter = letter;
  command.number = number;
  command.arguments = std::string(skip_blanks(rest));
  return command;
}

}  // namespace firebreak::sim
