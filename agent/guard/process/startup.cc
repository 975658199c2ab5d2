#include "agent/guard/process/startup.h"

#include <fmt/format.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cstring>

#include "agent/guard/hardware/sim_board.h"

namespace firebreak::guard {

using machine::Start;
using machine::State;

namespace {

// Latch numbers that may have been shown and not yet written: a slot is at most 50 ms behind the
// memory, in which no more causes come. A number that was shown must never mean another latch.
constexpr std::uint32_t unsynced_numbers = 10;

// What a printer's state depends on: under another one, the state of the earlier run means nothing.
std::uint32_t configuration_sum(const PrinterConfig& printer) {
  std::string text = fmt::format("{}|{}|{}|{}", printer.port.string(), printer.relay,
                                 printer.profile.name, printer.expected_uuid);
  for (const auto& heater : printer.profile.heaters) {
    text += fmt::format("|{}:{}", heater.name, heater.limit_celsius);
  }
  return crc32(text.data(), text.size());
}

// Restarts of this boot that count towards parking: not the ones that hand over on purpose.
bool restarted_too_often(HostMemory& host, std::int64_t now_ns) {
  std::rotate(host.restarts_ns.begin(), host.restarts_ns.begin() + 1, host.restarts_ns.end());
  host.restarts_ns.back() = now_ns;
  const std::int64_t oldest_ns = host.restarts_ns.front();
  return oldest_ns != 0 &&
         now_ns - oldest_ns < std::chrono::nanoseconds{machine::times::park_window}.count();
}

Start kind_of_start(MappedState& mapped, const Result<SlotContent>& slot, std::int64_t now_ns,
                    StartReport& report) {
  MappedLayout& layout = mapped.layout();
  if (mapped.fresh()) {
    if (!slot) return Start::bad_slot;
    const std::string_view boot_id(layout.boot_id, strnlen(layout.boot_id, 40));
    // The same boot without its memory: the guard was stopped, or its store was lost.
    return boot_id == slot->boot_id ? Start::lapsed : Start::new_boot;
  }
  HostMemory host;
  layout.host.load(host);
  const bool handed_over = layout.handed_over.exchange(0) != 0;
  const bool too_often = !handed_over && restarted_too_often(host, now_ns);
  layout.host.commit(host);
  report.gap_ns = now_ns - layout.last_pulse_ns.load(std::memory_order_acquire);
  if (too_often) return Start::too_often;
  return report.gap_ns > std::chrono::nanoseconds{machine::times::resume}.count() ? Start::lapsed
                                                                                  : Start::resumed;
}

const SlotContent::Printer* find_in(const Result<SlotContent>& slot, std::string_view name) {
  if (!slot) return nullptr;
  for (const auto& printer : slot->printers) {
    if (printer.name == name) return &printer;
  }
  return nullptr;
}

// The worse of memory and slot: a latch that is only on the disk counts as well.
void merge_slot(PrinterRuntime& printer, const SlotContent::Printer* slot) {
  machine::Memory& memory = printer.memory;
  if (slot == nullptr) return;
  printer.recorded_cold = slot->cold_minutes >= 30;
  const bool memory_goes_on = memory.state == State::armed || memory.state == State::watch;
  const bool newer = slot->generation > memory.generation || printer.start != Start::resumed;
  if (!newer && !(memory_goes_on && slot->latched != 0 && slot->generation == memory.generation)) {
    return;
  }
  memory.generation = std::max(memory.generation, slot->generation);
  if (slot->latched == 0) return;
  if (memory.causes == 0) memory.first_cause = slot->first_cause;
  memory.causes |= slot->causes;
  if (memory_goes_on) memory.state = State::tripped;
  if (slot->parked != 0) memory.state = State::parked;
}

void restore(PrinterRuntime& printer, MappedState& mapped, const Result<SlotContent>& slot,
             Start start, MappedLayout::Printer* entry) {
  printer.start = start;
  const std::uint32_t sum = configuration_sum(printer.config);
  const bool known = entry != nullptr && entry->configuration == sum && !mapped.fresh();
  if (!known || !entry->memory.load(printer.memory)) {
    printer.memory = machine::Memory{};
    if (start == Start::resumed) printer.start = Start::lapsed;
  }
  merge_slot(printer, find_in(slot, printer.config.name));
  if (mapped.fresh()) printer.memory.generation += unsynced_numbers;
}

// Every configured printer gets an entry; entries of printers that are gone are given up.
void place_printers(GuardCore& core, const Result<SlotContent>& slot, Start start) {
  MappedLayout& layout = core.mapped->layout();
  std::array<bool, max_printers> used{};
  for (auto& printer : core.printers) {
    auto* entry = core.mapped->find(printer->config.name);
    restore(*printer, *core.mapped, slot, start, entry);
    printer->mapped = entry;
    if (entry != nullptr) used[static_cast<std::size_t>(entry - layout.printers.data())] = true;
  }
  for (auto& printer : core.printers) {
    for (std::size_t i = 0; printer->mapped == nullptr && i < max_printers; ++i) {
      if (used[i]) continue;
      used[i] = true;
      printer->mapped = &layout.printers[i];
      std::memset(printer->mapped->detectors, 0, sizeof(printer->mapped->detectors));
    }
    auto& entry = *printer->mapped;
    std::memset(entry.name, 0, sizeof(entry.name));
    printer->config.name.copy(entry.name, sizeof(entry.name) - 1);
    entry.configuration = configuration_sum(printer->config);
    entry.memory.commit(printer->memory);
    printer->seen.store(printer->memory);
  }
  for (std::size_t i = 0; i < max_printers; ++i) {
    if (!used[i]) std::memset(layout.printers[i].name, 0, sizeof(layout.printers[i].name));
  }
}

Result<void> claim_inputs(GuardCore& core) {
  for (const auto& config : core.config.board.inputs) {
    const auto line = core.board->claim_input(config.line);
    if (!line) return fail(line.error().within("input " + config.name));
    auto input = std::make_unique<InputRuntime>();
    input->config = config;
    input->line = *line;
    for (const auto& printer : core.printers) {
      const bool named = std::find(config.zone.begin(), config.zone.end(), printer->config.name) !=
                         config.zone.end();
      if (config.whole_host || named) input->zone.push_back(printer->index);
    }
    const bool pressed = !core.board->level(*line);
    input->pressed.store(pressed, std::memory_order_release);
    // A button that is already pressed at the start is a press.
    for (const auto index : input->zone) {
      if (!pressed) continue;
      core.printers[index]->pending_trips |= bit(config.smoke ? Cause::smoke : Cause::button);
    }
    core.inputs.push_back(std::move(input));
  }
  return {};
}

Result<void> claim_sensors(GuardCore& core, const std::vector<SensorConfig>& sensors,
                           std::vector<PrinterRuntime::OwnSensor> PrinterRuntime::*place) {
  for (const auto& config : sensors) {
    const auto line = core.board->claim_input(config.line);
    if (!line) return fail(line.error().within("sensor " + config.name));
    PrinterRuntime* printer = core.find(config.printer);
    if (printer == nullptr) continue;
    const auto& heaters = printer->config.profile.heaters;
    for (std::size_t i = 0; i < heaters.size(); ++i) {
      if (heaters[i].name == config.heater) (printer->*place).push_back({*line, i});
    }
  }
  return {};
}

bool covers_all(const RelayConfig& relay, const PrinterConfig& printer) {
  return std::all_of(printer.profile.heaters.begin(), printer.profile.heaters.end(),
                     [&](const HeaterProfile& heater) {
                       const std::string name = printer.name + "/" + heater.name;
                       return std::find(relay.covers.begin(), relay.covers.end(), name) !=
                              relay.covers.end();
                     });
}

// A relay may stay closed over a restart only behind a heartbeat, and only if each of its printers
// was on guard, or had been stopped without needing it open.
bool may_stay_closed(const RelayConfig& relay, const GuardCore& core) {
  if (!relay.heartbeat) return false;
  bool any = false;
  for (const auto& printer : core.printers) {
    if (printer->config.relay != relay.name) continue;
    const auto& memory = printer->memory;
    const bool on_guard = memory.state == State::armed || memory.state == State::watch;
    if (!on_guard || !memory.relay_closed || printer->start != Start::resumed) return false;
    any = true;
  }
  return any;
}

Result<void> claim_relays(GuardCore& core) {
  for (const auto& config : core.config.board.relays) {
    auto relay = Relay::claim(config, *core.board, may_stay_closed(config, core));
    if (!relay) return fail(relay.error());
    for (auto& printer : core.printers) {
      if (printer->config.relay != config.name) continue;
      printer->relay = relay->get();
      printer->covered = covers_all(config, printer->config);
      (*relay)->members.push_back(printer->index);
    }
    core.relays.push_back(std::move(*relay));
  }
  if (core.config.board.alarm_line.empty()) return {};
  const auto line = core.board->claim_output(core.config.board.alarm_line, false);
  if (!line) return fail(line.error().within("alarm output"));
  core.alarm_line = *line;
  return {};
}

}  // namespace

Result<std::unique_ptr<GuardCore>> build_core(GuardConfig config, DescriptorKeeper& keeper,
                                              Slots& slots, const Clock& clock,
                                              StartReport& report) {
  auto core = std::make_unique<GuardCore>(std::move(config));
  core->stop_event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (core->stop_event < 0) {
    return fail(ErrorCode::unavailable, "the kernel gives no event descriptor; start again");
  }
  for (std::size_t i = 0; i < core->config.printers.size(); ++i) {
    core->printers.push_back(std::make_unique<PrinterRuntime>(core->config.printers[i], i));
  }
  auto board = SimBoard::connect(core->config.board.socket);
  if (!board) return fail(board.error());
  core->board = std::move(*board);
  const std::string boot_id = read_boot_id();
  auto mapped = MappedState::open(keeper, boot_id);
  if (!mapped) return fail(mapped.error());
  core->mapped = std::move(*mapped);

  const auto slot = slots.read();
  if (!slot) report.slot_error = slot.error().message;
  const std::int64_t now_ns = clock.now().time_since_epoch().count();
  report.kind = kind_of_start(*core->mapped, slot, now_ns, report);
  if (report.kind == Start::new_boot) {
    report.boots = slot->boots + 1;
    if (report.boots >= machine::times::park_restarts) report.kind = Start::too_often;
  } else if (slot) {
    report.boots = slot->boots;
  }
  HostMemory host;
  core->mapped->layout().host.load(host);
  if (slot && core->mapped->fresh()) {
    host.latched = slot->host_latched != 0;
    host.causes = slot->host_causes;
    host.generation = slot->host_generation + unsynced_numbers;
    core->mapped->layout().host.commit(host);
  }
  place_printers(*core, slot, report.kind);
  if (auto claimed = claim_inputs(*core); !claimed) return fail(claimed.error());
  const auto& own = core->config.board;
  for (auto claimed : {claim_sensors(*core, own.sensors, &PrinterRuntime::own_sensors),
                       claim_sensors(*core, own.currents, &PrinterRuntime::own_currents)}) {
    if (!claimed) return fail(claimed.error());
  }
  if (auto claimed = claim_relays(*core); !claimed) return fail(claimed.error());
  core->host_seen.store(host);
  core->mapped->layout().last_pulse_ns.store(now_ns, std::memory_order_release);
  core->started_ns = now_ns;
  core->liveness.estop_ns.store(now_ns);
  core->liveness.monitor_ns.store(now_ns);
  core->liveness.control_ns.store(now_ns);
  core->liveness.store_ns.store(now_ns);
  for (auto& printer : core->printers) printer->shared.link_alive_ns.store(now_ns);
  return core;
}

}  // namespace firebreak::guard
