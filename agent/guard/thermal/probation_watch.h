#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "agent/guard/config/guard_config.h"
#include "agent/guard/core/shared.h"
#include "agent/guard/thermal/sign_of_heat.h"

namespace firebreak::guard::thermal {

/// Plain data of one ProbationWatch.
struct ProbationState {
  std::int64_t begun_ns = 0;  ///< 0 = not watching.
  std::int64_t confirmed_ns = 0;
  std::int64_t first_report_ns = 0;
  std::uint32_t after_hardware = 0;
  std::uint32_t failed = 0;  ///< A ProbationVerdict; sticky.
  SignOfHeatState heat;
};
static_assert(std::is_trivially_copyable_v<ProbationState>);

enum class ProbationVerdict : std::uint32_t {
  waiting,      ///< Power is on; no trusted report of every heater yet.
  watching,     ///< Reports come; the 60 s run.
  clean,        ///< 60 s clean.
  late_report,  ///< No first report in time.
  fell_silent,  ///< Reports stopped.
  heat,         ///< A target, a duty or a rise > 5 K.
};

/// Watches a printer whose relay has just closed on probation: first report within the profile's
/// boot time + 15 s (after a hardware cause beyond 15 s only with an own sensor, or a person
/// confirming every 15 s), then 60 s without heat. The first failure stays. No deadline is ever
/// renewed but by confirm(). Monitor thread.
class ProbationWatch {
 public:
  ProbationWatch(const PrinterProfile& profile, ProbationState& state);

  void begin(std::int64_t now_ns, bool after_hardware) noexcept;
  /// A person at the machine looked at `at_ns`; an older look than the last changes nothing.
  void confirm(std::int64_t at_ns) noexcept {
    state_.confirmed_ns = std::max(state_.confirmed_ns, at_ns);
  }
  void end() noexcept { state_ = {}; }
  [[nodiscard]] bool running() const noexcept { return state_.begun_ns != 0; }

  ProbationVerdict step(const StepInput& input, const PrinterReadings& readings,
                        std::uint32_t trusted) noexcept;

  /// When a person must have looked again (CLOCK_MONOTONIC ns); 0 = nobody needs to.
  [[nodiscard]] std::int64_t confirm_due_ns(const StepInput& input) const noexcept;

 private:
  ProbationVerdict fail(ProbationVerdict why) noexcept;

  std::size_t count_;
  std::int64_t boot_ns_;
  ProbationState& state_;
  SignOfHeat heat_;
};

}  // namespace firebreak::guard::thermal
