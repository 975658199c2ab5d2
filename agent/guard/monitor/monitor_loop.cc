#include "agent/guard/monitor/monitor_loop.h"

#include <time.h>

namespace firebreak::guard {

MonitorLoop::MonitorLoop(GuardCore& core, EventQueue& events, SampleQueue& samples,
                         const Clock& clock)
    : core_(core) {
  for (auto& printer : core.printers) {
    // Mapped memory is zeroed when it is new, and each part knows its own version by its size.
    auto* memory = reinterpret_cast<DetectorMemory*>(printer->mapped->detectors);
    monitors_.push_back(
        std::make_unique<PrinterMonitor>(core, *printer, *memory, events, samples, clock));
  }
}

void MonitorLoop::step(std::int64_t now_ns) noexcept {
  for (auto& monitor : monitors_) monitor->step(now_ns);
  bool blind = false;
  for (const auto& printer : core_.printers) {
    blind = blind || printer->blind.load(std::memory_order_acquire);
  }
  core_.blind_alarm.store(blind, std::memory_order_release);
  core_.liveness.monitor_ns.store(now_ns, std::memory_order_release);
}

void MonitorLoop::run() noexcept {
  timespec next{};
  clock_gettime(CLOCK_MONOTONIC, &next);
  while (!core_.end.load(std::memory_order_acquire)) {
    step(monotonic_ns());
    next.tv_nsec += std::chrono::nanoseconds{period}.count();
    if (next.tv_nsec >= 1'000'000'000) {
      next.tv_nsec -= 1'000'000'000;
      ++next.tv_sec;
    }
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, nullptr);
  }
}

}  // namespace firebreak::guard
