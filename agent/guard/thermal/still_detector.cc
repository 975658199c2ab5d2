#include "agent/guard/thermal/still_detector.h"

#include <algorithm>

namespace firebreak::guard::thermal {

StillDetector::StillDetector(const HeaterProfile& profile, StillState& state) noexcept
    : kind_(profile.kind), state_(state) {}

void StillDetector::repair(std::int64_t now_ns) noexcept {
  auto& s = state_;
  const auto within = [](float value, float most) { return value >= 0 && value <= most; };
  if (s.since_ns > now_ns || s.since_ns < 0) s.since_ns = 0;
  if (!within(s.waiting_squares, 1e9F) || !within(s.waiting, 1e6F)) {
    s.waiting_squares = s.waiting = 0;
  }
  if (!within(s.squares, 1e4F) || !within(s.learned, 2 * still_memory)) s.squares = s.learned = 0;
  if (!(s.step > 0 && s.step <= 1)) s.step = 1;
  if (!within(s.longest_s, still_longest_s)) s.longest_s = 0;
}

/// A run that has ended by itself teaches the noise.
void StillDetector::learn_run(double lasted_s) noexcept {
  auto& s = state_;
  if (s.waiting > 0) {
    const float before = std::min(s.learned, still_memory);
    s.squares = (s.squares * before + s.waiting_squares) / (before + s.waiting);
    s.learned = before + s.waiting;
  }
  s.waiting = s.waiting_squares = 0;
  s.longest_s =
      std::clamp(static_cast<float>(lasted_s), s.longest_s * still_forget, still_longest_s);
}

float StillDetector::repeat_chance() const noexcept {
  const float step = state_.step;
  const float variance =
      std::max(state_.squares / 6 - step * step / 12, 4e-4F * step * step) * still_noise_part;
  return std::clamp(std::erf(0.35355F * step / std::sqrt(variance)), still_rate_least, 0.9999F);
}

Rule StillDetector::judge(const HeaterView& view) noexcept {
  repair(view.now_ns);
  auto& s = state_;
  const bool heated = view.heating_asked() && !view.stopped && !(view.duty == 0) &&
                      view.quantum < still_quantum_kelvin;
  if (!heated || view.gap) {
    s.run = 0;
    s.since_ns = 0;
    s.waiting = s.waiting_squares = 0;
    return Rule::none;
  }
  const bool held = std::fabs(view.celsius - view.target_celsius) < still_near_kelvin;
  if (held && s.since_ns != 0) {
    const float second = view.celsius - 2 * s.last + s.before;
    // A spike is no noise.
    if (std::fabs(second) < still_near_kelvin) {
      s.waiting_squares += second * second;
      s.waiting += 1;
    }
  }
  s.before = s.since_ns == 0 ? view.celsius : s.last;
  s.last = view.celsius;
  if (s.since_ns == 0 || view.celsius != s.value) {
    if (s.since_ns != 0) {
      learn_run(held ? seconds_since(s.since_ns, view.celsius_at_ns) : 0);
      const float change = std::fabs(view.celsius - s.value);
      if (held) s.step = std::min(s.step, change + 0.5F * view.quantum);
    }
    s.value = view.celsius;
    s.run = 0;
    s.since_ns = view.celsius_at_ns;
    return Rule::none;
  }
  s.run = std::min(s.run + 1, 100000U);
  const double lasted = seconds_since(s.since_ns, view.celsius_at_ns);
  if (lasted < still_least_s || s.learned < still_learned_least) return Rule::none;
  const float repeats =
      std::min(static_cast<float>(s.run), still_independent_per_s * static_cast<float>(lasted));
  const bool chance = repeats * std::log(repeat_chance()) > still_log_chance;
  return chance || lasted < still_longest_factor * s.longest_s ? Rule::none : Rule::still;
}

Finding StillDetector::step(const HeaterView& view) noexcept {
  if (view.fresh) state_.found = judge(view);
  if (view.stopped) return {};
  return {state_.found, static_cast<float>(state_.found == Rule::still
                                               ? seconds_since(state_.since_ns, view.celsius_at_ns)
                                               : still_least_s)};
}

}  // namespace firebreak::guard::thermal
