#pragma once

#include <cmath>
#include <cstdio>
#include <string>

#include "agent/guard/links/report_parser.h"

namespace firebreak::guard {

inline std::string number_text(float value) {
  if (std::isnan(value)) return "-";
  char room[32];
  std::snprintf(room, sizeof room, "%.2f", static_cast<double>(value));
  std::string text = room;
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text == "-0" ? "0" : text;
}

/// A parsed report in the words of report_lines.h.
inline std::string meaning_of(const ParsedLine& parsed) {
  std::string text;
  if (parsed.acknowledges) text += "ok ";
  if (parsed.waits) text += "wait ";
  for (const auto& value : parsed.values()) {
    text += std::string("ht+bc").substr(static_cast<std::size_t>(value.heater), 1) +
            std::to_string(value.index) + "=" + number_text(value.celsius) + "/" +
            number_text(value.target_celsius) + "@" + number_text(value.duty);
    if (value.duty_unit == DutyUnit::watts) text += "W";
    text += " ";
  }
  if (!text.empty()) text.pop_back();
  return text;
}

inline const char* kind_text(LineKind kind) {
  static const char* const names[] = {
      "empty",         "temperature",     "ok",     "busy",          "wait",       "banner", "halt",
      "thermal_fault", "thermal_warning", "resend", "firmware_info", "capability", "error",  "echo",
      "action",        "malformed",       "other"};
  return names[static_cast<std::size_t>(kind)];
}

}  // namespace firebreak::guard
