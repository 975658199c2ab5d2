#include "agent/guard/monitor/monitor_loop.h"

#include <time.h>

#include <new>

#include "agent/guard/thermal/model_file.h"
#include "agent/guard/thermal/model_fit.h"

namespace firebreak::guard {
namespace {

/// The approved models of a printer, in its heaters' order; what is missing, unreadable or no
/// longer fits the profile is left to the wide priors, and said.
std::vector<thermal::HeaterModel> models_of(GuardCore& core, const PrinterConfig& printer) {
  std::vector<thermal::HeaterModel> models(printer.profile.heaters.size());
  const auto file = core.config.state_dir / "models" / (printer.name + ".json");
  const auto set = thermal::read_models(file);
  if (!set) {
    // A printer that was never commissioned has no file; that is not worth a warning.
    const bool missing = set.error().code == ErrorCode::not_found;
    if (!missing) core.warnings.push_back("learned models are not used: " + set.error().message);
    return models;
  }
  for (std::size_t i = 0; i < models.size(); ++i) {
    const auto& profile = printer.profile.heaters[i];
    const auto found = set->find(profile.name);
    if (found == set->end()) continue;
    const auto inside = thermal::check_envelope(profile, found->second);
    if (inside) models[i] = found->second;
    if (!inside) {
      core.warnings.push_back(printer.name + ": its model is not used: " + inside.error().message +
                              "; commission it again");
    }
  }
  return models;
}

}  // namespace

MonitorLoop::MonitorLoop(GuardCore& core, EventQueue& events, SampleQueue& samples,
                         const Clock& clock)
    : core_(core) {
  for (auto& printer : core.printers) {
    // Mapped memory is zeroed when it is new, and each part knows its own version by its size.
    auto* memory = reinterpret_cast<DetectorMemory*>(printer->mapped->detectors);
    const auto models = models_of(core, printer->config);
    monitors_.push_back(
        std::make_unique<PrinterMonitor>(core, *printer, *memory, models, events, samples, clock));
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
