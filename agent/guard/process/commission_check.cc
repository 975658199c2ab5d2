#include "agent/guard/process/commission_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace firebreak::guard {

using nlohmann::json;

namespace {

json item(std::string_view name, std::string_view state, std::string detail, std::string next) {
  return {{"name", name},
          {"state", state},
          {"detail", detail},
          {"next", next},
          {"blocks", state != "done"}};
}

/// Nothing to test: the machine does not have it. Shown, and no reason not to heat.
json missing(std::string_view name, std::string detail, std::string next) {
  json entry = item(name, "unknown", std::move(detail), std::move(next));
  entry["blocks"] = false;
  return entry;
}

json press_test(const GuardCore& core, const PrinterRuntime& printer) {
  for (const auto& input : core.inputs) {
    const bool stops_it =
        std::find(input->zone.begin(), input->zone.end(), printer.index) != input->zone.end();
    if (!stops_it) continue;
    if (input->pressed_at_ns.load(std::memory_order_acquire) != 0) {
      return item("press test", "done", input->config.name + " was pressed and seen", "");
    }
    return item("press test", "unknown",
                input->config.name + " was never pressed since the guard started",
                "press it once and see that the printer stops");
  }
  return missing("press test", "no stop input has this printer in its zone",
                 "wire a button and name the printer in its zone");
}

json relay_test(const PrinterRuntime& printer) {
  if (printer.relay == nullptr) {
    return missing("relay", "no relay cuts this printer: it has no independent stop",
                   "fit a normally open relay behind a heartbeat");
  }
  if (!printer.covered) {
    return missing("relay", "its relay does not cut every heater",
                   "wire every heater behind it, or fit a second one");
  }
  if (printer.relay->feedback() == machine::Feedback::none) {
    return missing("relay", "no feedback contact: an open relay cannot be proven",
                   "wire a mirror contact or a load-side sensor");
  }
  if (printer.relay->commanded_at_ns() == 0) {
    return item("relay", "unknown", "not switched since the guard started",
                "stop and reset the printer once");
  }
  return item("relay", "done",
              fmt::format("{} relay, feedback follows", printer.relay->independent()
                                                            ? "independent heartbeat"
                                                            : "plain (does not fail safe)"),
              "");
}

json stop_test(const PrinterRuntime& printer, const machine::Memory& memory) {
  if (printer.shared.stop_bytes_taken.load(std::memory_order_acquire) == 0) {
    return item("stop bytes", "unknown", "no stop was sent since the guard started",
                fmt::format("firebreak local stop --printer {}", printer.config.name));
  }
  const bool proven = memory.outcome == machine::Outcome::proven || !machine::latched(memory);
  return item("stop bytes", proven ? "done" : "unknown",
              proven ? "the port took them, and heat ended" : "the port took them, not yet proven",
              proven ? "" : "wait for the proof, or look at the machine");
}

json identity_test(const PrinterRuntime& printer) {
  PrinterIdentity identity;
  printer.shared.identity.load(identity);
  if (printer.shared.link_state.load() == LinkState::wrong_printer) {
    return item("identity", "failed", "another printer answers on this port",
                "check the cable, or the identity in guard.yaml");
  }
  if (identity.firmware[0] == '\0') {
    return item("identity", "unknown", "the firmware did not answer M115 yet",
                "switch the printer on and wait");
  }
  return item("identity", "done", fmt::format("{} ({})", identity.machine, identity.firmware), "");
}

json cold_test(const PrinterRuntime& printer, const machine::Memory& memory) {
  MonitorFacts facts;
  printer.monitor.load(facts);
  const bool current = facts.for_state == memory.state && facts.for_entered_ns == memory.entered_ns;
  if (current && !facts.hot) return item("everything cold", "done", "all readings are cold", "");
  return item("everything cold", "unknown", "a heater is hot, or its reading is not trusted",
              "let it cool, and see that it reports");
}

json model_test(const PrinterRuntime& printer) {
  ModelNotes notes{};
  printer.model_notes.load(notes);
  std::string open, done;
  for (std::size_t i = 0; i < printer.config.profile.heaters.size(); ++i) {
    const auto& name = printer.config.profile.heaters[i].name;
    const auto& note = notes[i];
    if (note.state == ModelNote::State::commissioned) {
      done += fmt::format("{}{} (residual {:.1f} %)", done.empty() ? "" : ", ", name,
                          100 * note.residual);
      continue;
    }
    open += (open.empty() ? "" : ", ") + name;
    if (note.state == ModelNote::State::asks_again) open += std::string(": ") + note.why;
  }
  json entry = open.empty() ? item("models", "done", "learned: " + done, "")
                            : item("models", "unknown", "not learned: " + open,
                                   "let the guard heat it once while you watch");
  entry["blocks"] = false;
  return entry;
}

json items_of(const GuardCore& core, const PrinterRuntime& printer) {
  machine::Memory memory;
  printer.seen.load(memory);
  return json::array({press_test(core, printer), relay_test(printer), stop_test(printer, memory),
                      identity_test(printer), cold_test(printer, memory), model_test(printer)});
}

std::vector<std::string> blockers_of(const PrinterRuntime& printer, const json& items) {
  std::vector<std::string> blockers;
  machine::Memory memory;
  printer.seen.load(memory);
  const auto& name = printer.config.name;
  if (memory.state != machine::State::armed) {
    blockers.push_back(
        fmt::format("{} is {}: it must be armed", name, machine::name(memory.state)));
  }
  if (memory.no_new_heat != 0) blockers.push_back(name + " may not heat now: see its status");
  if (printer.shared.printing.load(std::memory_order_acquire) != 0) {
    blockers.push_back(name + " is printing: wait for its end");
  }
  for (const auto& entry : items) {
    if (!entry["blocks"].get<bool>()) continue;
    blockers.push_back(fmt::format("{}: {}; {}", entry["name"].get<std::string>(),
                                   entry["detail"].get<std::string>(),
                                   entry["next"].get<std::string>()));
  }
  PrinterReadings readings;
  printer.shared.readings.load(readings);
  for (std::size_t i = 0; i < printer.config.profile.heaters.size(); ++i) {
    // An unknown target is not a target of 0.
    if (readings.heaters[i].target_celsius == 0) continue;
    blockers.push_back(fmt::format("{} has a target, or none is known: set it to 0",
                                   printer.config.profile.heaters[i].name));
  }
  return blockers;
}

}  // namespace

json commission_check(const GuardCore& core, const PrinterRuntime& printer) {
  json items = items_of(core, printer);
  const bool done = std::all_of(items.begin(), items.end(),
                                [](const json& entry) { return entry["state"] == "done"; });
  const auto blockers = blockers_of(printer, items);
  return {{"printer", printer.config.name},
          {"complete", done},
          {"ready", blockers.empty()},
          {"blockers", blockers},
          {"items", std::move(items)}};
}

std::vector<std::string> heat_up_blockers(const GuardCore& core, const PrinterRuntime& printer) {
  return blockers_of(printer, items_of(core, printer));
}

}  // namespace firebreak::guard
