#include "agent/guard/core/guard_core.h"

#include <time.h>
#include <unistd.h>

namespace firebreak::guard {

void GuardCore::raise(PrinterRuntime& printer, CauseSet causes) noexcept {
  printer.shared.trips.fetch_or(causes, std::memory_order_acq_rel);
  wake_estop();
}

void GuardCore::wake_estop() noexcept {
  const std::uint64_t one = 1;
  // A full counter already wakes the reader.
  [[maybe_unused]] const ssize_t written = write(stop_event, &one, sizeof(one));
}

PrinterRuntime* GuardCore::find(std::string_view name) noexcept {
  for (auto& printer : printers) {
    if (printer->config.name == name) return printer.get();
  }
  return nullptr;
}

std::int64_t monotonic_ns() noexcept {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1'000'000'000LL + t.tv_nsec;
}

}  // namespace firebreak::guard
