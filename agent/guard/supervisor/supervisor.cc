#include "agent/guard/supervisor/supervisor.h"

namespace firebreak::guard {
namespace {

bool is_late(const std::atomic<std::int64_t>& alive_ns, std::chrono::nanoseconds deadline,
             std::int64_t now_ns, std::int64_t& age_ns) noexcept {
  age_ns = now_ns - alive_ns.load(std::memory_order_acquire);
  return age_ns > deadline.count();
}

}  // namespace

std::string_view Supervisor::late_thread(std::int64_t now_ns, std::int64_t& age_ns) const noexcept {
  if (is_late(core_.liveness.estop_ns, estop_deadline, now_ns, age_ns)) return "estop";
  if (is_late(core_.liveness.monitor_ns, monitor_deadline, now_ns, age_ns)) return "monitor";
  for (const auto& printer : core_.printers) {
    // Other links parse what is not ours with memory of their own: their failure is blindness.
    if (printer->config.link != LinkKind::serial) continue;
    if (is_late(printer->shared.link_alive_ns, link_deadline, now_ns, age_ns)) {
      return printer->config.name;
    }
  }
  return {};
}

bool Supervisor::tick(std::int64_t now_ns) noexcept {
  std::int64_t age_ns = 0;
  const std::string_view late = late_thread(now_ns, age_ns);
  if (!late.empty()) {
    if (!was_late_) {
      auto event = make_record(clock_, EventKind::guard, Severity::alarm);
      event.format_text(
          "thread {} missed its deadline: no pulses until it is back; a heartbeat "
          "relay opens after its hold time",
          late);
      event.add("age_ms", age_ns / 1'000'000);
      events_.push(event);
    }
    was_late_ = true;
    return false;
  }
  was_late_ = false;
  for (auto& relay : core_.relays) relay->pulse();
  core_.mapped->layout().last_pulse_ns.store(now_ns, std::memory_order_release);
  if (now_ns - kicked_ns_ >= std::chrono::nanoseconds{kick_period}.count()) {
    manager_.notify("WATCHDOG=1");
    kicked_ns_ = now_ns;
  }
  return true;
}

}  // namespace firebreak::guard
