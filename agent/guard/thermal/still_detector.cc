#include "agent/guard/thermal/still_detector.h"

#include <algorithm>

namespace firebreak::guard::thermal {
namespace {

void learn_count(RepeatCount& learned, const RepeatCount& run) noexcept {
  const float kept = std::min(1.0F, still_memory / std::max(learned.seen, 1.0F));
  learned.seen = learned.seen * kept + run.seen;
  learned.repeated = learned.repeated * kept + run.repeated;
}

}  // namespace

StillDetector::StillDetector(const HeaterProfile& profile, StillState& state) noexcept
    : kind_(profile.kind), state_(state) {}

void StillDetector::repair(std::int64_t now_ns) noexcept {
  auto& s = state_;
  const auto bound = [](float& value, float most) {
    if (!(value >= 0 && value <= most)) value = 0;
  };
  if (s.since_ns > now_ns || s.since_ns < 0) s.since_ns = 0;
  bound(s.waiting_squares, 1e9F);
  bound(s.waiting, 1e6F);
  bound(s.block_squares, 1e9F);
  bound(s.block, still_block);
  bound(s.squares, 1e4F);
  bound(s.blocks, still_memory);
  bound(s.settled_s, still_settled_most_s);
  bound(s.longest_s, still_longest_s);
  if (!(s.evidence <= 0)) s.evidence = 0;
  for (auto* count : {&s.waiting_early, &s.waiting_late, &s.early, &s.late}) {
    bound(count->seen, 1e6F);
    bound(count->repeated, count->seen);
  }
  bound(s.disturbed, 1e3F);
  bound(s.disturbed_usual, 1e3F);
  if (!(s.step > 0 && s.step <= 1)) s.step = 1;
  if (!(s.duty_step > 0 && s.duty_step <= 1)) s.duty_step = 1;
}

void StillDetector::end_run() noexcept {
  auto& s = state_;
  s.run = s.pair_run = 0;
  s.since_ns = 0;
  s.evidence = s.waiting = s.waiting_squares = 0;
  s.waiting_early = s.waiting_late = {};
  s.move = {};
}

/// The quietest block is kept: a print stirs its heater, and only the sensor's own noise is left
/// when it is paused.
void StillDetector::learn_noise() noexcept {
  auto& s = state_;
  s.block_squares += s.waiting_squares;
  s.block += s.waiting;
  if (s.block < still_block) return;
  const float mean = s.block_squares / s.block;
  s.squares = s.blocks == 0 || mean < s.squares ? mean : s.squares;
  s.blocks = std::min(s.blocks + 1, still_memory);
  s.block = s.block_squares = 0;
}

/// A run that has ended by itself teaches the noise and how long runs are.
void StillDetector::learn_run(double lasted_s) noexcept {
  auto& s = state_;
  learn_noise();
  s.settled_s = std::min(s.settled_s + static_cast<float>(lasted_s), still_settled_most_s);
  learn_count(s.early, s.waiting_early);
  learn_count(s.late, s.waiting_late);
  s.longest_s =
      std::clamp(static_cast<float>(lasted_s), s.longest_s * still_forget, still_longest_s);
}

/// Some firmwares tell the duty only when it has moved by 5 %.
void StillDetector::learn_duty_step(float duty) noexcept {
  auto& s = state_;
  const float change = std::fabs(duty - s.duty);
  if (change > 0 && duty > 0 && duty < 1) s.duty_step = std::min(s.duty_step, change);
}

bool StillDetector::must_have_moved(const HeaterView& view) noexcept {
  const float width = still_width_steps * std::max(state_.step, view.quantum) + still_width_kelvin;
  return PredictedMove(state_.move)
      .step(view.balance, view.scale * width, std::min(state_.duty_step, still_duty_step_most));
}

/// How fast fan and flow change what the heater loses: a print that stirs its hotend less than
/// when its runs were learned makes longer ones.
void StillDetector::follow_disturbance(const HeaterView& view) noexcept {
  auto& s = state_;
  const auto& balance = view.balance;
  if (!balance.judged || !std::isfinite(view.flow)) return;
  const float change = std::fabs(balance.by_air_and_flow - s.by_air_and_flow) / balance.seconds;
  s.by_air_and_flow = balance.by_air_and_flow;
  const float dt = balance.seconds;
  s.disturbed += (change - s.disturbed) * dt / (dt + still_disturbed_s);
  s.disturbed_usual += (change - s.disturbed_usual) * dt / (dt + still_usual_s);
}

bool StillDetector::stirred_as_usual(const HeaterView& view) const noexcept {
  const auto& s = state_;
  return kind_ != HeaterKind::hotend ||
         (std::isfinite(view.flow) && s.disturbed >= still_disturbed_part * s.disturbed_usual);
}

/// Reading and duty together: the duty shows what the controller saw below the last digit.
void StillDetector::count_pair(const HeaterView& view, bool same_reading) noexcept {
  auto& s = state_;
  const bool same_duty = view.duty == s.duty || !std::isfinite(view.duty);
  const bool repeats = same_reading && same_duty;
  if (s.pair_run > 0) {
    auto& count = s.pair_run >= still_pair_run ? s.waiting_late : s.waiting_early;
    count.seen += 1;
    count.repeated += repeats ? 1 : 0;
  }
  if (same_reading && stirred_as_usual(view)) {
    const float alive = pair_chance();
    s.evidence += same_duty ? std::log(alive / (1 - still_frozen_change))
                            : std::log((1 - alive) / still_frozen_change);
    s.evidence = std::min(s.evidence, 0.0F);
  }
  s.pair_run = repeats ? std::min(s.pair_run + 1, 100000U) : 0;
}

/// That reading and duty repeat once more in a long run, from all runs that ended by themselves.
/// While long ones are few, short ones are asked, with a margin: long runs last longer.
float StillDetector::pair_chance() const noexcept {
  const auto& early = state_.early;
  const auto& late = state_.late;
  const float usual = std::min(0.98F, (early.repeated + 1) / (early.seen + 2) + still_late_more);
  const float seen = late.seen + still_late_prior;
  const float chance = (late.repeated + still_late_prior * usual) / seen;
  const float error = std::sqrt(std::max(chance * (1 - chance), 0.0F) / seen);
  return std::clamp(chance + still_late_errors * error, still_rate_least, 0.99F);
}

float StillDetector::repeat_chance() const noexcept {
  const float step = state_.step;
  const float variance =
      std::max(state_.squares / 6 - step * step / 12, 4e-4F * step * step) * still_noise_part;
  return std::clamp(std::erf(0.35355F * step / std::sqrt(variance)), still_rate_least, 0.9999F);
}

/// Whether one of the three grounds holds, and enough is learned for it.
bool StillDetector::cannot_be_alive(const HeaterView& view, bool moved) const noexcept {
  const auto& s = state_;
  const auto lasted = static_cast<float>(seconds_since(s.since_ns, view.celsius_at_ns));
  const auto run = static_cast<float>(s.run);
  if (s.blocks == 0 || lasted < view.scale * still_least_s || lasted > slow_report_s * run ||
      lasted < view.scale * still_longest_factor * s.longest_s) {
    return false;
  }
  const float needed = view.scale * still_log_chance;
  const float repeats = std::min(run, still_independent_per_s * lasted);
  const bool settled = s.settled_s >= still_settled_s;
  const float noise_needed = settled ? needed : still_unsettled_factor * needed;
  const bool may_be_noise = !std::isfinite(view.flow) || stirred_as_usual(view);
  if (may_be_noise && repeats * std::log(repeat_chance()) < noise_needed) return true;
  if (!settled || kind_ == HeaterKind::chamber) return false;
  const bool pairs_learned = s.early.seen + s.late.seen >= still_pairs_least &&
                             lasted >= view.scale * still_longest_factor_pairs * s.longest_s;
  const bool quiet = repeat_chance() > still_quiet_chance;
  return moved || (pairs_learned && s.evidence < (quiet ? still_quiet_factor * needed : needed));
}

/// On its way to a target a reading passes through step after step.
bool StillDetector::stopped_on_its_way(const HeaterView& view, bool moved) const noexcept {
  const auto& s = state_;
  const auto lasted = seconds_since(s.since_ns, view.celsius_at_ns);
  return moved && !view.arrived && s.run >= still_stopped_repeats &&
         lasted >= view.scale * still_stopped_s && s.move.moved >= still_stopped_kelvin(kind_);
}

Rule StillDetector::judge(const HeaterView& view) noexcept {
  repair(view.now_ns);
  auto& s = state_;
  follow_disturbance(view);
  const bool near = std::fabs(view.celsius - view.target_celsius) < assumed_duty_kelvin(kind_);
  const bool heated = view.heating_asked() && !view.stopped && (near || !(view.duty == 0)) &&
                      view.quantum < still_quantum_kelvin;
  if (!heated || view.gap) {
    end_run();
    return Rule::none;
  }
  if (std::isfinite(view.duty)) learn_duty_step(view.duty);
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
  const bool same = s.since_ns != 0 && view.celsius == s.value;
  if (held) count_pair(view, same);
  if (std::isfinite(view.duty)) s.duty = view.duty;
  if (!same) {
    if (s.since_ns != 0) {
      learn_run(held ? seconds_since(s.since_ns, view.celsius_at_ns) : 0);
      const float change = std::fabs(view.celsius - s.value);
      if (held) s.step = std::min(s.step, change + 0.5F * view.quantum);
    }
    end_run();
    s.value = view.celsius;
    s.since_ns = view.celsius_at_ns;
    return Rule::none;
  }
  s.run = std::min(s.run + 1, 100000U);
  const bool moved = must_have_moved(view);
  return cannot_be_alive(view, moved) || stopped_on_its_way(view, moved) ? Rule::still : Rule::none;
}

Finding StillDetector::step(const HeaterView& view) noexcept {
  if (view.fresh) state_.found = judge(view);
  if (view.stopped) return {};
  return {state_.found, static_cast<float>(state_.found == Rule::still
                                               ? seconds_since(state_.since_ns, view.celsius_at_ns)
                                               : still_least_s)};
}

}  // namespace firebreak::guard::thermal
