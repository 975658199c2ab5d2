#include <fmt/format.h>

#include "agent/guard/machine/machine.h"

namespace firebreak::guard::machine {
namespace {

constexpr std::array<std::string_view, state_count> state_names{
    "boot", "watch", "armed", "stopping", "cutting", "not_cut", "tripped", "probation", "parked"};

constexpr std::array<std::string_view, static_cast<std::size_t>(When::count)> when_names{
    "immediate trip",   "software trip",      "any trip",          "started too often",
    "started bad slot", "started new boot",   "started lapsed",    "resumed open",
    "resumed armed",    "resumed watch",      "resumed stopping",  "resumed cutting",
    "resumed not cut",  "resumed tripped",    "resumed probation", "resumed parked",
    "stopping hot",     "pulses lapsed",      "relay found open",  "watch asked",
    "watch over",       "arm asked",          "acknowledged",      "proven",
    "not acknowledged", "fell silent",        "window over",       "risen",
    "target back",      "feedback open",      "feedback live",     "not verifiable dtr",
    "not verifiable",   "heat while latched", "live while open",   "reset valid",
    "repeat due",       "report late",        "heat on probation", "may close",
    "reported",         "clean over",         "released",          "unparked",
};

constexpr std::array<std::string_view, 19> effect_names{"latch",
                                                        "open",
                                                        "send stop",
                                                        "resend",
                                                        "start stop deadlines",
                                                        "start feedback deadline",
                                                        "prove",
                                                        "unproven",
                                                        "dtr",
                                                        "start watch",
                                                        "end watch",
                                                        "allow heat",
                                                        "revive",
                                                        "close",
                                                        "settle",
                                                        "finish",
                                                        "unlatch",
                                                        "acknowledge",
                                                        "again"};

std::string state_list(std::uint16_t from) {
  std::string text;
  for (std::size_t i = 0; i < state_count; ++i) {
    if ((from & (1U << i)) == 0) continue;
    if (!text.empty()) text += '|';
    text += state_names[i];
  }
  return text;
}

std::string effect_list(const Row& row) {
  std::string text;
  for (std::size_t i = 0; i < effect_names.size(); ++i) {
    if ((row.effects & (1U << i)) == 0) continue;
    if (!text.empty()) text += ", ";
    text += effect_names[i];
  }
  for (const auto& cause : cause_table) {
    if (has(row.raises, cause.cause)) text += fmt::format(" (+{})", cause.name);
  }
  return text;
}

}  // namespace

std::string_view name(State state) noexcept { return state_names[static_cast<std::size_t>(state)]; }

std::string_view name(Phase phase) noexcept {
  constexpr std::array<std::string_view, 5> names{"none", "reviving", "watching", "settling",
                                                  "clean"};
  return names[static_cast<std::size_t>(phase)];
}

std::string_view name(Outcome outcome) noexcept {
  constexpr std::array<std::string_view, 4> names{"none", "not_sent", "sent", "proven"};
  return names[static_cast<std::size_t>(outcome)];
}

std::string_view name(When when) noexcept { return when_names[static_cast<std::size_t>(when)]; }

std::string print(std::span<const Row> rows) {
  std::string text;
  for (const auto& row : rows) {
    text += fmt::format("{:<12} {:<24} -> {:<10} {}\n             {}\n", state_list(row.from),
                        name(row.when), name(row.to), row.name, effect_list(row));
  }
  return text;
}

}  // namespace firebreak::guard::machine
