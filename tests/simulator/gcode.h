// One line of G-code, taken apart the way Marlin does.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace firebreak::sim {

struct Command {
  char letter = '?';  // G, M or T; anything else is unknown
  int number = -1;
  std::string text;       // the command without line number and checksum, as in error texts
  std::string arguments;  // what follows the number

  bool is(char l, int n) const { return letter == l && number == n; }
  // The number after `name`, 0 when there is only the letter, nothing when it is absent.
  std::optional<double> value(char name) const;
  bool has(char name) const { return value(name).has_value(); }
};

Command parse_command(std::string_view line);

}  // namespace firebreak::sim
