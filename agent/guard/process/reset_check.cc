#include "agent/guard/process/reset_check.h"

#include <fmt/format.h>

#include <algorithm>

namespace firebreak::guard {

using machine::State;

namespace {

// Five time constants of a hotend or bed with its power proven off (docs/safety.md).
constexpr std::chrono::minutes relay_open_long_enough{30};

std::string_view button_name(const InputRuntime& input) { return input.config.name; }

bool in_zone(const InputRuntime& input, std::size_t index) {
  return std::find(input.zone.begin(), input.zone.end(), index) != input.zone.end();
}

bool relay_proven_open_long(const PrinterRuntime& printer, std::int64_t now_ns) {
  const Relay* relay = printer.relay;
  return relay != nullptr && printer.covered && !relay->commanded_closed() &&
         relay->feedback() == machine::Feedback::open &&
         now_ns - relay->commanded_at_ns() >=
             std::chrono::nanoseconds{relay_open_long_enough}.count();
}

double coolest_limit(const PrinterRuntime& printer) {
  double lowest = 1000;
  for (const auto& heater : printer.config.profile.heaters) {
    lowest = std::min(lowest, heater.safe_celsius);
  }
  return lowest;
}

void check_safe(const PrinterRuntime& printer, const machine::Memory& memory,
                const ResetClaim& claim, std::int64_t now_ns, std::vector<std::string>& blockers) {
  MonitorFacts facts;
  printer.monitor.load(facts);
  const bool current = facts.for_state == memory.state && facts.for_entered_ns == memory.entered_ns;
  const bool measured = claim.right == ResetRight::machine && claim.measured_celsius > -273 &&
                        claim.measured_celsius < coolest_limit(printer);
  if ((current && !facts.hot) || measured || relay_proven_open_long(printer, now_ns)) return;
  blockers.push_back(fmt::format(
      "{} is not known to be cold: wait for a trusted reading below {:.0f} °C, or measure it "
      "yourself and reset at the machine with --measured CELSIUS",
      printer.config.name, coolest_limit(printer)));
}

void check_state(const PrinterRuntime& printer, const machine::Memory& memory,
                 std::vector<std::string>& blockers) {
  const auto& name = printer.config.name;
  switch (memory.state) {
    case State::tripped: return;
    case State::not_cut:
      blockers.push_back(name +
                         " is not cut: pull its power, have the relay and its feedback "
                         "repaired, then reset");
      return;
    case State::parked:
      blockers.push_back(name +
                         " is parked: look why the guard restarted, then "
                         "`firebreak local unpark`");
      return;
    case State::stopping:
    case State::cutting:
      blockers.push_back(name + " is being stopped right now: wait a few seconds");
      return;
    default:
      blockers.push_back(
          fmt::format("{} is {}: there is nothing to reset", name, machine::name(memory.state)));
  }
}

void check_rights(const PrinterRuntime& printer, const machine::Memory& memory,
                  const ResetClaim& claim, std::vector<std::string>& blockers) {
  if (claim.right == ResetRight::machine) return;
  for (const auto& row : cause_table) {
    if (!has(memory.causes, row.cause) || row.reset != ResetRight::machine) continue;
    blockers.push_back(fmt::format("{}: {} ({}) is reset only by a person at the machine",
                                   printer.config.name, row.sentence, row.name));
  }
}

}  // namespace

std::vector<std::string> reset_blockers(const GuardCore& core, const PrinterRuntime& printer,
                                        const ResetClaim& claim, std::int64_t now_ns) {
  std::vector<std::string> blockers;
  machine::Memory memory;
  if (!printer.seen.load(memory)) return {"the guard is busy: try again"};
  check_state(printer, memory, blockers);
  if (!blockers.empty()) return blockers;
  if (claim.number_needed && claim.latch_number != memory.generation) {
    blockers.push_back(
        fmt::format("latch number {} is not the one that {} shows now: look at its "
                    "status, there may be a new cause",
                    claim.latch_number, printer.config.name));
  }
  check_rights(printer, memory, claim, blockers);
  HostMemory host;
  core.host_seen.load(host);
  if (host.latched) {
    blockers.push_back(
        fmt::format("the whole host is latched: release its button, then "
                    "`firebreak local reset --host --latch-number {}`",
                    host.generation));
  }
  for (const auto& input : core.inputs) {
    if (in_zone(*input, printer.index) && input->pressed.load(std::memory_order_acquire)) {
      blockers.push_back(
          fmt::format("{} is pressed (or its wire is cut): release it", button_name(*input)));
    }
  }
  if (core.board_lost.load(std::memory_order_acquire)) {
    blockers.emplace_back("the board's lines are gone: restart the guard when they are back");
  }
  check_safe(printer, memory, claim, now_ns, blockers);
  return blockers;
}

}  // namespace firebreak::guard
