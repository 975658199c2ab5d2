#include "agent/guard/blackbox/record.h"

namespace firebreak::guard {

std::string_view to_string(EventKind kind) noexcept {
  static constexpr std::array<std::string_view, static_cast<std::size_t>(EventKind::count)> words{
      "trip",    "stop_pass", "state",   "reset",      "release",  "press",
      "relay",   "link",      "store",   "guard",      "identity", "config",
      "command", "loss",      "warning", "commission", "alarm",    "network"};
  const auto index = static_cast<std::size_t>(kind);
  return index < words.size() ? words[index] : "guard";
}

std::string_view to_string(Severity severity) noexcept {
  switch (severity) {
    case Severity::info: return "info";
    case Severity::warning: return "warning";
    case Severity::alarm: return "alarm";
  }
  return "alarm";
}

}  // namespace firebreak::guard
