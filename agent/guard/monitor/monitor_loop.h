#pragma once

#include <memory>
#include <vector>

#include "agent/guard/monitor/printer_monitor.h"

namespace firebreak::guard {

/// The thread `monitor`: every printer's detection at 10 Hz, then its own sign of life.
class MonitorLoop {
 public:
  static constexpr std::chrono::milliseconds period{100};

  MonitorLoop(GuardCore& core, EventQueue& events, SampleQueue& samples, const Clock& clock);

  /// One look at every printer. Public for tests on a virtual clock.
  void step(std::int64_t now_ns) noexcept;

  /// step() every 100 ms until core.end.
  void run() noexcept;

 private:
  GuardCore& core_;
  std::vector<std::unique_ptr<PrinterMonitor>> monitors_;
};

}  // namespace firebreak::guard
