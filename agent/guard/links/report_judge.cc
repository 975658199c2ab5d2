#include "agent/guard/links/report_judge.h"

#include <algorithm>
#include <cmath>

namespace firebreak::guard {
namespace {

/// No block or bed cools faster, fans and all (research: the fastest hotends gain 3–5 K/s, a
/// thermistor that is pulled out falls faster and is then confirmed by the next report).
constexpr float fastest_fall_kelvin_per_s = 15;
/// No heater of any printer is faster (research: 3–5 K/s).
constexpr float fastest_rise_kelvin_per_s = 10;
/// Noise and rounding between two reports.
constexpr float fall_slack_kelvin = 6;
/// A cooler report closer to the known value than this is no contradiction.
constexpr float contradiction_kelvin = 6;
/// In quarantine even this much cooling is not believed.
constexpr float quarantine_kelvin = 3;
/// Ends before the shortest blind limit that cuts a steady heater (15 s) can be reached twice.
constexpr std::chrono::seconds quarantine_time{10};

}  // namespace

void ReportJudge::learn_ending(LineEnding ending) noexcept {
  ending_known_ = true;
  own_ending_ = ending;
}

bool ReportJudge::is_own_ending(LineEnding ending) const noexcept {
  return !ending_known_ || ending == own_ending_;
}

void ReportJudge::quarantine(MonotonicTime now) noexcept {
  quarantine_until_ = now + quarantine_time;
}

bool ReportJudge::in_quarantine(MonotonicTime now) const noexcept {
  return now < quarantine_until_;
}

void ReportJudge::reset() noexcept {
  last_ = {};
  any_unasked_ = held_ = false;
  quarantine_until_ = {};
}

bool ReportJudge::in_slot(const ReportContext& context, MonotonicTime now) const noexcept {
  if (!is_own_ending(context.ending)) return false;
  if (context.answers_question) return true;
  if (!context.unasked_expected) return false;
  // A little early is jitter; much earlier is a second voice.
  return !any_unasked_ || now - unasked_at_ >= context.cadence * 6 / 10;
}

bool ReportJudge::any_cooler(const HeaterSamples& samples, float by_kelvin) const noexcept {
  for (std::size_t i = 0; i < max_heaters; ++i) {
    if (samples.celsius[i] < last_[i].celsius - by_kelvin) return true;
  }
  return false;
}

bool ReportJudge::falls_too_fast(const HeaterSamples& samples, MonotonicTime now) const noexcept {
  for (std::size_t i = 0; i < max_heaters; ++i) {
    const float seconds = std::chrono::duration<float>(now - last_[i].at).count();
    const float most = fastest_fall_kelvin_per_s * seconds + fall_slack_kelvin;
    if (samples.celsius[i] < last_[i].celsius - most) return true;
  }
  return false;
}

bool ReportJudge::rises_too_fast(const HeaterSamples& samples, MonotonicTime now) const noexcept {
  for (std::size_t i = 0; i < max_heaters; ++i) {
    const float seconds = std::chrono::duration<float>(now - last_[i].at).count();
    const float most = fastest_rise_kelvin_per_s * seconds + contradiction_kelvin;
    if (samples.celsius[i] > last_[i].celsius + most) return true;
  }
  return false;
}

void ReportJudge::keep_hotter(HeaterSamples& samples, MonotonicTime now) noexcept {
  for (std::size_t i = 0; i < max_heaters; ++i) {
    if (!(samples.celsius[i] > last_[i].celsius)) {
      samples.celsius[i] = unknown;
    } else {
      last_[i].celsius = samples.celsius[i];
      last_[i].at = now;
    }
    if (!(samples.target[i] > last_[i].target)) samples.target[i] = unknown;
    samples.duty[i] = unknown;
  }
}

void ReportJudge::remember(const HeaterSamples& samples, MonotonicTime now) noexcept {
  for (std::size_t i = 0; i < max_heaters; ++i) {
    if (!std::isnan(samples.celsius[i])) {
      last_[i].celsius = samples.celsius[i];
      last_[i].at = now;
    }
    if (!std::isnan(samples.target[i])) last_[i].target = samples.target[i];
  }
}

/// A second report that fell too fast is believed if it is not just the same voice again.
bool ReportJudge::confirms(const ReportContext& context, MonotonicTime now) const noexcept {
  return held_ && now - held_at_ >= context.cadence * 6 / 10;
}

Belief ReportJudge::judge(HeaterSamples& samples, const ReportContext& context, MonotonicTime now,
                          bool& contradicts) noexcept {
  const bool fell = falls_too_fast(samples, now);
  // A held report did not use up its slot: the true one that it displaced may still come.
  const bool displaced = held_ && is_own_ending(context.ending) && !any_cooler(samples, 0);
  contradicts = false;
  if (!in_slot(context, now) && !displaced) {
    contradicts = any_cooler(samples, contradiction_kelvin) || rises_too_fast(samples, now);
    keep_hotter(samples, now);
    return Belief::hot_only;
  }
  if (in_quarantine(now) && any_cooler(samples, quarantine_kelvin)) {
    keep_hotter(samples, now);
    return Belief::hot_only;
  }
  if (fell && !confirms(context, now)) {
    if (!held_) held_at_ = now;
    held_ = true;
    return Belief::held;
  }
  // What is still cool bears the held one out, even where time has made its fall a slow one.
  contradicts = held_ && !any_cooler(samples, contradiction_kelvin);
  held_ = false;
  if (!context.answers_question) {
    unasked_at_ = now;
    any_unasked_ = true;
  }
  remember(samples, now);
  return Belief::full;
}

}  // namespace firebreak::guard
