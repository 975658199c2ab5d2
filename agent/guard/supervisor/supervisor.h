#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include "agent/guard/blackbox/record.h"
#include "agent/guard/core/guard_core.h"
#include "agent/guard/supervisor/service_manager.h"

namespace firebreak::guard {

/// Earns every sign of life: only while all gating threads have kept their deadlines does it pulse
/// the heartbeat relays and tell the service manager's watchdog. One late thread: no pulse, no
/// kick, and hardware opens the relays. The threads `store` and `control` never gate; they warn.
/// Runs on its own thread at 10 Hz; tick() neither allocates nor blocks.
class Supervisor {
 public:
  // Deadlines of docs/safety.md.
  static constexpr std::chrono::milliseconds estop_deadline{100};
  static constexpr std::chrono::milliseconds monitor_deadline{500};
  static constexpr std::chrono::milliseconds link_deadline{1000};
  static constexpr std::chrono::milliseconds pulse_period{100};
  /// WatchdogSec is 2 s; four kicks fit into it.
  static constexpr std::chrono::milliseconds kick_period{500};

  Supervisor(GuardCore& core, ServiceManager& manager, EventQueue& events, const Clock& clock)
      : core_(core), manager_(manager), events_(events), clock_(clock) {}

  /// One look at every deadline, and the pulse if it is earned. True if it was.
  bool tick(std::int64_t now_ns) noexcept;

 private:
  /// The first thread that is late at `now_ns`, or an empty name; `age_ns` is how old its sign is.
  std::string_view late_thread(std::int64_t now_ns, std::int64_t& age_ns) const noexcept;

  GuardCore& core_;
  ServiceManager& manager_;
  EventQueue& events_;
  const Clock& clock_;
  std::int64_t kicked_ns_ = 0;
  bool was_late_ = false;
};

}  // namespace firebreak::guard
