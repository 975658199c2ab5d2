#include "agent/guard/thermal/current_detector.h"

#include <algorithm>
#include <cmath>

#include "agent/guard/thermal/constants.h"

namespace firebreak::guard::thermal {
namespace {

/// The smallest heater is 25 W at 24 V, 1 A; a 5 A Hall sensor's noise and offset stay below 0.1 A.
constexpr float flows_amps = 0.25F;
constexpr double fresh_s = 3;
/// Two readings at least, over a second: a contactor's bounce and a pulse of a slow PWM are over.
constexpr double stuck_s = 1;
constexpr std::uint32_t stuck_readings = 2;
/// A report that was on its way when the heater went on still says off.
constexpr double report_way_s = 0.5;
/// A contactor has opened by then (docs/safety.md, relay feedback), with room for a slow sensor.
constexpr double relay_way_s = 0.5;
/// At this duty no PWM of a firmware (bed: 0.5…2 s) leaves the wire without current for so long.
constexpr float high_duty = 0.9F;
constexpr double open_s = 3;
constexpr std::uint32_t open_readings = 3;

enum Found : std::uint32_t { nothing, stuck, no_current, stale };

}  // namespace

void CurrentDetector::take(const CurrentView& view) noexcept {
  auto& s = *state_;
  if (view.amps_at_ns <= s.seen_at_ns || !std::isfinite(view.amps)) return;
  s.seen_at_ns = view.amps_at_ns;
  const bool flows = std::fabs(view.amps) >= flows_amps;
  if (flows != (s.on_since_ns != 0)) s.readings = 0;
  s.readings = std::min(s.readings + 1, 1000U);
  if (!flows) s.on_since_ns = 0;
  if (flows && s.on_since_ns == 0) s.on_since_ns = view.amps_at_ns;
}

bool CurrentDetector::stuck_on(const CurrentView& view) const noexcept {
  const auto& s = *state_;
  if (s.on_since_ns == 0 || s.readings < stuck_readings) return false;
  const bool told_off = view.target_celsius == 0 && view.duty == 0 &&
                        seconds_since(s.on_since_ns, view.reported_at_ns) >= report_way_s;
  if (told_off && seconds_since(s.on_since_ns, view.now_ns) >= stuck_s) return true;
  const auto since = std::max(s.on_since_ns, view.relay_since_ns + seconds_ns(relay_way_s));
  return view.relay_open && seconds_since(since, view.now_ns) >= stuck_s;
}

bool CurrentDetector::heater_open(const CurrentView& view) noexcept {
  auto& s = *state_;
  const bool asked = view.duty >= high_duty && !view.stopped && s.on_since_ns == 0;
  if (!asked) {
    s.open_since_ns = 0;
    return false;
  }
  if (s.open_since_ns == 0) {
    s.open_since_ns = view.now_ns;
    s.told_at_ns = view.reported_at_ns;
  }
  // One report may be of the moment before the power went; the second is of now.
  const bool told_again = view.reported_at_ns > s.told_at_ns;
  return told_again && s.readings >= open_readings &&
         seconds_since(s.open_since_ns, view.now_ns) >= open_s;
}

CurrentFinding CurrentDetector::step(const CurrentView& view) noexcept {
  auto& s = *state_;
  take(view);
  CurrentFinding finding;
  std::uint32_t found = nothing;
  if (s.first_look_ns == 0) s.first_look_ns = view.now_ns;
  const auto last_ns = std::max(view.amps_at_ns, s.first_look_ns);
  if (seconds_since(last_ns, view.now_ns) > fresh_s) {
    found = stale;
    s.on_since_ns = s.open_since_ns = 0;
    s.readings = 0;
    finding.rule = "current.stale";
    finding.sentence = "the current sensor is silent; nothing is judged by it";
  } else if (stuck_on(view)) {
    found = stuck;
    finding = {"current.stuck-on", "current flows though the heater is told off", true, false,
               Cause::stuck_on};
  } else if (heater_open(view)) {
    found = no_current;
    finding = {"current.none", "no current though the heater is told on", true, false,
               Cause::heater_open};
  }
  finding.onset = found != nothing && found != s.found;
  s.found = found;
  return finding;
}

}  // namespace firebreak::guard::thermal
