#include "common/config/scalar.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <nlohmann/json.hpp>
#include <regex>

#include "common/base/escape.h"

namespace firebreak::config {
namespace {

using nlohmann::json;

// Longer plain text is never a number of anybody's.
constexpr std::size_t number_bytes_max = 64;

std::string in_quotes(std::string_view text) { return '"' + escape_untrusted(text, 60) + '"'; }

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

bool is_json_number(const std::string& text) {
  static const std::regex form("-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][-+]?[0-9]+)?");
  return std::regex_match(text, form);
}

// What YAML 1.1 or 1.2 readers take for a number, a time or a date, and JSON does not.
const char* other_meaning(const std::string& text) {
  struct Form {
    std::regex regex;
    const char* meaning;
  };
  static const std::array<Form, 7> forms{{
      {std::regex("[-+]?0[0-7_]+"), "an octal number"},
      {std::regex("[-+]?0([oO][0-7_]+|[xX][0-9a-fA-F_]+|[bB][01_]+)"),
       "an octal, hexadecimal or binary number"},
      {std::regex("[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\\.[0-9_]*)?"), "a number to the base 60"},
      {std::regex("[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?"), "a date"},
      {std::regex("[-+]?\\.(inf|Inf|INF)|\\.(nan|NaN|NAN)"), "infinity or not-a-number"},
      {std::regex("[-+]?[0-9][0-9_]*(\\.[0-9_]*)?([eE][-+]?[0-9]+)?"), "a number"},
      {std::regex("[-+]?\\.[0-9_]+([eE][-+]?[0-9]+)?"), "a number"},
  }};
  for (const Form& form : forms) {
    if (std::regex_match(text, form.regex)) return form.meaning;
  }
  return nullptr;
}

std::optional<std::string> read_number(const std::string& text, json& value) {
  value = json::parse(text, nullptr, false);
  const bool whole = text.find_first_of(".eE") == std::string::npos;
  if (value.is_discarded() || (whole && !value.is_number_integer())) {
    value = text;
    return in_quotes(text) + " is too large a number";
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> read_plain_scalar(std::string_view text, json& value) {
  value = std::string(text);
  if (text == "true" || text == "false") {
    value = text == "true";
    return std::nullopt;
  }
  if (text.size() > number_bytes_max) return std::nullopt;
  const std::string copy(text);
  if (is_json_number(copy)) return read_number(copy, value);
  const std::string word = lower(text);
  for (const char* boolean : {"y", "n", "yes", "no", "on", "off", "true", "false"}) {
    if (word == boolean) {
      return in_quotes(text) +
             " without quotes is a boolean for some YAML readers and text for others; write true "
             "or false, or put it in quotes if it is text";
    }
  }
  if (word == "null" || text == "~" || text == "=" || text == "<<") {
    return in_quotes(text) + " has a special meaning in YAML; put it in quotes if it is text";
  }
  if (const char* meaning = other_meaning(copy)) {
    return in_quotes(text) + " without quotes is " + meaning +
           " for some YAML readers; write a plain decimal number, or put it in quotes if it is "
           "text";
  }
  return std::nullopt;
}

}  // namespace firebreak::config
