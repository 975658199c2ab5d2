#include "agent/guard/process/status_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "agent/guard/blackbox/black_box.h"
#include "agent/guard/process/slot_writer.h"

namespace firebreak::guard {

using nlohmann::json;

namespace {

/// Threads that gate nothing are told of when they are this late.
constexpr int warn_after_ms = 5000;

json number_or_null(float value) { return std::isnan(value) ? json(nullptr) : json(value); }

json age_ms(std::int64_t at_ns, std::int64_t now_ns) {
  return at_ns == 0 ? json(nullptr) : json((now_ns - at_ns) / 1'000'000);
}

std::string_view name(FirmwareLimit::Verify verify) {
  switch (verify) {
    case FirmwareLimit::Verify::unknown: return "unknown";
    case FirmwareLimit::Verify::kept: return "kept";
    case FirmwareLimit::Verify::weakened: return "weakened";
    case FirmwareLimit::Verify::absent: return "absent";
  }
  return "unknown";
}

std::string_view name(LinkState state) {
  switch (state) {
    case LinkState::absent: return "absent";
    case LinkState::opening: return "opening";
    case LinkState::identifying: return "identifying";
    case LinkState::ready: return "ready";
    case LinkState::halted: return "halted";
    case LinkState::wrong_printer: return "wrong_printer";
    case LinkState::blocked: return "blocked";
    case LinkState::misconfigured: return "misconfigured";
  }
  return "absent";
}

std::string_view name(machine::Feedback feedback) {
  switch (feedback) {
    case machine::Feedback::none: return "none";
    case machine::Feedback::open: return "open";
    case machine::Feedback::closed: return "closed";
  }
  return "none";
}

bool covers(const PrinterRuntime& printer, const std::string& heater) {
  if (printer.relay == nullptr) return false;
  const auto& covered = printer.relay->config().covers;
  return std::find(covered.begin(), covered.end(), printer.config.name + "/" + heater) !=
         covered.end();
}

json heaters_of(const PrinterRuntime& printer, const PrinterReadings& readings, bool link_counts,
                std::int64_t now_ns) {
  json heaters = json::array();
  FirmwareLimits limits{};
  printer.shared.firmware_limits.load(limits);
  for (std::size_t i = 0; i < printer.config.profile.heaters.size(); ++i) {
    const auto& profile = printer.config.profile.heaters[i];
    const auto& reading = readings.heaters[i];
    const bool trusted = (printer.trusted_heaters.load(std::memory_order_acquire) & (1U << i)) != 0;
    heaters.push_back({{"name", profile.name},
                       {"celsius", number_or_null(reading.celsius)},
                       {"target", number_or_null(reading.target_celsius)},
                       {"duty", number_or_null(reading.duty)},
                       {"age_ms", age_ms(reading.celsius_at_ns, now_ns)},
                       {"limit_celsius", profile.limit_celsius},
                       {"firmware_limit_celsius", number_or_null(limits[i].max_celsius)},
                       {"firmware_check", name(limits[i].verify)},
                       {"trusted", trusted && link_counts},
                       {"covered", covers(printer, profile.name)}});
  }
  return heaters;
}

std::string_view name(ModelNote::State state) {
  switch (state) {
    case ModelNote::State::none: return "uncommissioned";
    case ModelNote::State::commissioned: return "commissioned";
    case ModelNote::State::asks_again: return "asks_again";
  }
  return "uncommissioned";
}

json models_of(const PrinterRuntime& printer) {
  ModelNotes notes{};
  printer.model_notes.load(notes);
  json models = json::array();
  for (std::size_t i = 0; i < printer.config.profile.heaters.size(); ++i) {
    const auto& note = notes[i];
    models.push_back(
        {{"heater", printer.config.profile.heaters[i].name},
         {"state", name(note.state)},
         {"in_use", note.in_use},
         {"proposed", note.proposed},
         {"learned_ms", note.learned_wall_ms == 0 ? json(nullptr) : json(note.learned_wall_ms)},
         {"residual", number_or_null(note.residual)},
         {"why", note.why}});
  }
  return models;
}

json no_new_heat_reasons(std::uint32_t reasons) {
  json names = json::array();
  if (reasons & machine::no_new_heat::watch_ended) names.push_back("watch_ended");
  return names;
}

json left_ms(std::int64_t due_ns, std::int64_t now_ns) {
  if (due_ns == 0) return nullptr;
  return std::max<std::int64_t>(due_ns - now_ns, 0) / 1'000'000;
}

json probation_of(const PrinterRuntime& printer, const machine::Memory& memory,
                  std::int64_t now_ns) {
  if (memory.state != machine::State::probation) return nullptr;
  std::int64_t due_ns = memory.report_due_ns != 0 ? memory.report_due_ns : memory.clean_due_ns;
  const bool waits_for_relay = memory.phase == machine::Phase::reviving && !memory.relay_closed;
  if (waits_for_relay && printer.relay != nullptr) due_ns = machine::relay_rests_until_ns(memory);
  MonitorFacts facts;
  printer.monitor.load(facts);
  return {{"phase", machine::name(memory.phase)},
          {"left_ms", left_ms(due_ns, now_ns)},
          {"confirm_in_ms", left_ms(facts.confirm_due_ns, now_ns)}};
}

json last_pass_of(const PrinterRuntime& printer) {
  PassTimes times;
  if (!printer.last_pass.load(times) || times.serial == 0) return nullptr;
  return {{"serial", times.serial},
          {"edge_ns", times.edge_ns},
          {"latched_ns", times.latched_ns},
          {"write_ns", times.write_ns},
          {"relay_ns", times.relay_ns}};
}

// A stop of which the port took nothing and that no relay covers was not sent at all.
std::string_view shown_outcome(const PrinterRuntime& printer, const machine::Memory& memory) {
  const bool bytes_left = printer.shared.stop_bytes_taken.load(std::memory_order_acquire) != 0;
  if (memory.outcome == machine::Outcome::sent && !bytes_left && printer.relay == nullptr) {
    return machine::name(machine::Outcome::not_sent);
  }
  return machine::name(memory.outcome);
}

std::string kind_of(const PrinterConfig& config) {
  switch (config.link) {
    case LinkKind::serial: return "serial";
    case LinkKind::klipper: return "klipper";
    case LinkKind::network: break;
  }
  return config.network;
}

json printer_status(const PrinterRuntime& printer, const std::filesystem::path& run_dir,
                    std::int64_t now_ns) {
  machine::Memory memory;
  printer.seen.load(memory);
  PrinterReadings readings;
  printer.shared.readings.load(readings);
  const LinkState link = printer.shared.link_state.load(std::memory_order_acquire);
  const bool counts = link == LinkState::ready || link == LinkState::halted;
  PrinterIdentity identity;
  printer.shared.identity.load(identity);
  LinkDetail detail;
  printer.shared.detail.load(detail);
  const json none(nullptr);
  return {
      {"name", printer.config.name},
      {"state", machine::name(memory.state)},
      {"state_age_ms", age_ms(memory.entered_ns, now_ns)},
      {"outcome", shown_outcome(printer, memory)},
      {"latch_number", memory.generation},
      {"causes", cause_names(memory.causes)},
      {"first_cause",
       memory.causes == 0 ? none : json(info(static_cast<Cause>(memory.first_cause)).name)},
      {"no_new_heat", no_new_heat_reasons(memory.no_new_heat)},
      {"relay", printer.relay == nullptr ? none : json(printer.relay->config().name)},
      {"independent_stop",
       printer.relay != nullptr && printer.relay->independent() && printer.covered},
      {"blind", printer.blind.load(std::memory_order_acquire)},
      {"link",
       {{"state", name(link)},
        {"kind", kind_of(printer.config)},
        {"why", detail.text},
        {"port", printer.config.port.string()},
        {"age_ms", age_ms(readings.line_at_ns, now_ns)}}},
      {"identity",
       {{"firmware", identity.firmware}, {"machine", identity.machine}, {"uuid", identity.uuid}}},
      {"heaters", heaters_of(printer, readings, counts, now_ns)},
      {"models", models_of(printer)},
      {"commissioning", printer.shared.commissioning.load(std::memory_order_acquire) != 0},
      {"printing", printer.shared.printing.load(std::memory_order_acquire) != 0},
      {"host_attached", printer.shared.host_attached.load(std::memory_order_acquire) != 0},
      {"pty", (run_dir / printer.config.pty).string()},
      {"profile", printer.config.profile.name},
      {"last_pass", last_pass_of(printer)},
      {"probation", probation_of(printer, memory, now_ns)}};
}

json host_status(const GuardCore& core, std::int64_t now_ns) {
  HostMemory host;
  core.host_seen.load(host);
  json inputs = json::array();
  for (const auto& input : core.inputs) {
    const bool pressed = input->pressed.load(std::memory_order_acquire);
    const std::int64_t tested_ns = input->pressed_at_ns.load(std::memory_order_acquire);
    const bool lost = core.board_lost.load(std::memory_order_acquire);
    inputs.push_back(
        {{"name", input->config.name},
         {"state", lost ? "fault" : (pressed ? "pressed" : "released")},
         {"tested_age_s",
          tested_ns == 0 ? json(nullptr) : json((now_ns - tested_ns) / 1'000'000'000)}});
  }
  return {{"latched", host.latched},
          {"latch_number", host.generation},
          {"causes", cause_names(host.causes)},
          {"inputs", inputs}};
}

json relay_status(const GuardCore& core) {
  json relays = json::array();
  for (const auto& relay : core.relays) {
    const auto& config = relay->config();
    relays.push_back({{"name", config.name},
                      {"kind", config.heartbeat ? "heartbeat" : "plain"},
                      {"independent", relay->independent()},
                      {"fails_safe", relay->independent()},
                      {"commanded", relay->commanded_closed() ? "closed" : "open"},
                      {"feedback", name(relay->feedback())},
                      {"rating", config.rating},
                      {"heaters", config.covers}});
  }
  return relays;
}

json thread_status(const GuardCore& core, std::int64_t now_ns) {
  json threads = json::array();
  const auto add = [&](std::string_view thread, std::int64_t alive_ns, int deadline_ms) {
    threads.push_back({{"name", thread},
                       {"age_ms", (now_ns - alive_ns) / 1'000'000},
                       {"deadline_ms", deadline_ms}});
  };
  add("estop", core.liveness.estop_ns.load(), 100);
  add("monitor", core.liveness.monitor_ns.load(), 500);
  add("control", core.liveness.control_ns.load(), warn_after_ms);
  add("store", core.liveness.store_ns.load(), warn_after_ms);
  for (const auto& printer : core.printers) {
    add("link " + printer->config.name, printer->shared.link_alive_ns.load(), 1000);
  }
  return threads;
}

// Six closings an hour: a person who resets more often must see what is waited for.
void warn_of_relay_rest(const PrinterRuntime& printer, std::int64_t now_ns, json& warnings) {
  machine::Memory memory;
  if (printer.relay == nullptr || !printer.seen.load(memory)) return;
  const bool waits =
      memory.state == machine::State::probation && memory.phase == machine::Phase::reviving;
  const auto left_s = (machine::relay_rests_until_ns(memory) - now_ns) / 1'000'000'000;
  if (!waits || left_s < 60) return;
  warnings.push_back(fmt::format(
      "{}: its relay has closed {} times within the hour, which is the most that it may; power "
      "comes back in {} min",
      printer.config.name, machine::times::closings_an_hour, left_s / 60 + 1));
}

void warn_of_models(const PrinterRuntime& printer, json& warnings) {
  ModelNotes notes{};
  printer.model_notes.load(notes);
  for (std::size_t i = 0; i < printer.config.profile.heaters.size(); ++i) {
    if (notes[i].state != ModelNote::State::asks_again) continue;
    warnings.push_back(fmt::format("{}: {} asks to be commissioned again: {}", printer.config.name,
                                   printer.config.profile.heaters[i].name, notes[i].why));
  }
}

json warnings_of(const GuardCore& core, const SlotWriter& slots, std::int64_t now_ns) {
  json warnings = core.warnings;
  if (now_ns - core.liveness.store_ns.load() > warn_after_ms * 1'000'000LL) {
    warnings.push_back("the black box has not written for a while: the disk stalls");
  }
  if (slots.failing()) {
    warnings.push_back("the latch cannot be written to disk: a power cut would lose it");
  }
  for (const auto& printer : core.printers) {
    warn_of_relay_rest(*printer, now_ns, warnings);
    warn_of_models(*printer, warnings);
    if (printer->relay == nullptr && printer->config.link == LinkKind::network) {
      warnings.push_back(printer->config.name + " is monitored only: it is reached over the " +
                         "network (" + printer->config.network + ") and no relay can stop it");
    } else if (printer->relay == nullptr) {
      warnings.push_back(printer->config.name + " has no independent stop: no relay cuts it");
    } else if (!printer->covered) {
      warnings.push_back(printer->config.name + ": its relay does not cover every heater");
    } else if (!printer->relay->independent()) {
      warnings.push_back(printer->config.name + ": its relay is plain and does not fail safe");
    }
  }
  return warnings;
}

}  // namespace

json cause_names(CauseSet causes) {
  json names = json::array();
  for (const auto& row : cause_table) {
    if (has(causes, row.cause)) names.push_back(row.name);
  }
  return names;
}

json status_report(const GuardCore& core, const BlackBox& box, const SlotWriter& slots,
                   std::int64_t now_ns) {
  const auto store = box.status();
  json printers = json::array();
  for (const auto& printer : core.printers) {
    printers.push_back(printer_status(*printer, core.config.run_dir, now_ns));
  }
  return {{"agent", core.config.agent},
          {"boot", std::string(core.mapped->layout().boot_id)},
          {"uptime_ms", (now_ns - core.started_ns) / 1'000'000},
          {"host", host_status(core, now_ns)},
          {"relays", relay_status(core)},
          {"alarm", core.alarm_on.load(std::memory_order_acquire)},
          {"threads", thread_status(core, now_ns)},
          {"store",
           {{"ok", store.ok},
            {"detail", store.detail},
            {"log", store.log},
            {"last_seq", store.last_seq},
            {"durable_seq", store.durable_seq}}},
          {"warnings", warnings_of(core, slots, now_ns)},
          {"printers", printers}};
}

}  // namespace firebreak::guard
