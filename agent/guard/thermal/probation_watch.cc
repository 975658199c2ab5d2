#include "agent/guard/thermal/probation_watch.h"

#include <algorithm>

namespace firebreak::guard::thermal {

ProbationWatch::ProbationWatch(const PrinterProfile& profile, ProbationState& state)
    : count_(std::min(profile.heaters.size(), max_heaters)),
      boot_ns_(std::chrono::nanoseconds(profile.boot_time).count()),
      state_(state),
      heat_(profile, state.heat) {}

void ProbationWatch::begin(std::int64_t now_ns, bool after_hardware) noexcept {
  state_ = {};
  state_.begun_ns = state_.confirmed_ns = now_ns;
  state_.after_hardware = after_hardware ? 1 : 0;
  heat_.begin(now_ns, true);
}

ProbationVerdict ProbationWatch::fail(ProbationVerdict why) noexcept {
  state_.failed = static_cast<std::uint32_t>(why);
  return why;
}

std::int64_t ProbationWatch::confirm_due_ns(const StepInput& input) const noexcept {
  if (state_.begun_ns == 0 || state_.failed != 0 || state_.after_hardware == 0 ||
      state_.first_report_ns != 0) {
    return 0;
  }
  for (std::size_t i = 0; i < count_; ++i) {
    const bool seen =
        input.own[i].present && seconds_since(input.own[i].at_ns, input.now_ns) <= own_fresh_s;
    if (!seen) return state_.confirmed_ns + seconds_ns(probation_confirm_s);
  }
  return 0;
}

ProbationVerdict ProbationWatch::step(const StepInput& input, const PrinterReadings& readings,
                                      std::uint32_t trusted) noexcept {
  if (state_.failed != 0) return static_cast<ProbationVerdict>(state_.failed);
  if (state_.begun_ns == 0) return ProbationVerdict::waiting;
  if (heat_.step(input, readings) != 0) return fail(ProbationVerdict::heat);

  std::int64_t oldest = input.now_ns;
  for (std::size_t i = 0; i < count_; ++i) {
    oldest = std::min(oldest, readings.heaters[i].celsius_at_ns);
  }
  if (state_.first_report_ns == 0) {
    const auto every = (1U << count_) - 1;
    if (oldest > state_.begun_ns && (trusted & every) == every) {
      state_.first_report_ns = input.now_ns;
      return ProbationVerdict::watching;
    }
    const auto confirm_due = confirm_due_ns(input);
    const auto report_due = state_.begun_ns + boot_ns_ + seconds_ns(probation_report_s);
    const auto due = confirm_due == 0 ? report_due : std::min(confirm_due, report_due);
    if (input.now_ns >= due) return fail(ProbationVerdict::late_report);
    return ProbationVerdict::waiting;
  }
  const auto silence = seconds_since(oldest, input.now_ns);
  if (silence >= blind_longest_s) return fail(ProbationVerdict::fell_silent);
  const bool long_enough = seconds_since(state_.first_report_ns, input.now_ns) >= probation_clean_s;
  return long_enough && silence <= reading_fresh_s ? ProbationVerdict::clean
                                                   : ProbationVerdict::watching;
}

}  // namespace firebreak::guard::thermal
