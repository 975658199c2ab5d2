#include "agent/guard/process/slot_writer.h"

#include <cstring>
#include <thread>

namespace firebreak::guard {
namespace {

constexpr std::chrono::minutes stable_boot{15};
constexpr std::chrono::seconds retry_period{1};

}  // namespace

SlotWriter::SlotWriter(GuardCore& core, Slots slots, EventQueue& events, const Clock& clock,
                       std::uint32_t boots)
    : core_(core),
      slots_(std::move(slots)),
      events_(events),
      clock_(clock),
      boots_(boots),
      started_ns_(clock.now().time_since_epoch().count()) {}

SlotContent SlotWriter::snapshot() noexcept {
  SlotContent content;
  const std::int64_t up_ns = clock_.now().time_since_epoch().count() - started_ns_;
  content.boots = up_ns > std::chrono::nanoseconds{stable_boot}.count() ? 0 : boots_;
  HostMemory host;
  core_.host_seen.load(host);
  content.host_latched = host.latched ? 1 : 0;
  content.host_causes = host.causes;
  content.host_generation = host.generation;
  std::memcpy(content.boot_id, core_.mapped->layout().boot_id, sizeof(content.boot_id));
  for (const auto& printer : core_.printers) {
    machine::Memory memory;
    auto& slot = content.printers[printer->index];
    printer->config.name.copy(slot.name, sizeof(slot.name) - 1);
    if (!printer->seen.load(memory)) continue;  // Stays "latched": the safe default.
    slot.latched = machine::latched(memory) || memory.state == machine::State::probation ? 1 : 0;
    slot.parked = memory.state == machine::State::parked ? 1 : 0;
    slot.first_cause = memory.first_cause;
    slot.causes = memory.causes;
    slot.generation = memory.generation;
    slot.cold_minutes = printer->cold_minutes.load(std::memory_order_acquire);
  }
  return content;
}

void SlotWriter::run_once() noexcept {
  const std::int64_t now_ns = clock_.now().time_since_epoch().count();
  const bool waiting =
      failing() && now_ns - tried_ns_ < std::chrono::nanoseconds{retry_period}.count();
  if (waiting) return;
  SlotContent content = snapshot();
  content.counter = written_.counter;
  if (ever_written_ && std::memcmp(&content, &written_, sizeof(content)) == 0) return;
  tried_ns_ = now_ns;
  const auto result = slots_.write(content);
  const bool failed = !result.has_value();
  if (failing_.exchange(failed) != failed) {
    auto event = make_record(clock_, EventKind::store, failed ? Severity::alarm : Severity::info);
    event.set_text(failed ? result.error().message : "the latch is on disk again");
    events_.push(event);
  }
  if (failed) return;
  written_ = content;
  ever_written_ = true;
}

void SlotWriter::run() noexcept {
  while (!core_.end.load(std::memory_order_acquire)) {
    run_once();
    std::this_thread::sleep_for(std::chrono::milliseconds{50});
  }
  run_once();
}

}  // namespace firebreak::guard
