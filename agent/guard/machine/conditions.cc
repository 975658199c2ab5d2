#include <algorithm>

#include "agent/guard/machine/machine.h"

namespace firebreak::guard::machine {
namespace {

bool due(std::int64_t deadline_ns, const Facts& facts) noexcept {
  return deadline_ns != 0 && facts.now_ns >= deadline_ns;
}

CauseSet doubting_causes() noexcept {
  CauseSet set = 0;
  for (const auto& row : cause_table) {
    if (row.doubts_sensor) set |= bit(row.cause);
  }
  return set;
}

bool contact_open(const Memory& memory, const Facts& facts) noexcept {
  return facts.has_relay && facts.covered && !memory.relay_closed &&
         facts.feedback == Feedback::open;
}

// Proof is never taken from a sensor that a verdict doubts, and the printer's own sensor proves
// nothing but a software stop.
bool heat_has_ended(const Memory& memory, const Facts& facts) noexcept {
  if (contact_open(memory, facts) || facts.cooled_elsewhere) return true;
  const bool software_only = (memory.causes & (immediate_causes | doubting_causes())) == 0;
  return facts.cooled && software_only;
}

bool feedback_over(const Memory& memory, const Facts& facts) noexcept {
  return !facts.has_relay || facts.feedback == Feedback::none || due(memory.feedback_due_ns, facts);
}

bool relay_rested(const Memory& memory, const Facts& facts) noexcept {
  return !facts.has_relay || facts.now_ns >= relay_rests_until_ns(memory);
}

bool resumes(const Memory& memory, const Facts& facts, State state) noexcept {
  return facts.start == Start::resumed && memory.resume == state;
}

bool starts(const Facts& facts, Start start) noexcept { return facts.start == start; }

bool holds_at_start(When when, const Memory& memory, const Facts& facts) noexcept {
  const bool was_on_guard = memory.resume == State::armed || memory.resume == State::watch;
  switch (when) {
    case When::started_too_often: return starts(facts, Start::too_often);
    case When::started_bad_slot: return starts(facts, Start::bad_slot);
    case When::started_new_boot: return starts(facts, Start::new_boot);
    case When::started_lapsed: return starts(facts, Start::lapsed);
    case When::resumed_open:
      return facts.start == Start::resumed && was_on_guard && facts.has_relay &&
             (facts.feedback == Feedback::open || !memory.relay_closed);
    case When::resumed_armed: return resumes(memory, facts, State::armed);
    case When::resumed_watch: return resumes(memory, facts, State::watch);
    case When::resumed_stopping: return resumes(memory, facts, State::stopping);
    case When::resumed_cutting: return resumes(memory, facts, State::cutting);
    case When::resumed_not_cut: return resumes(memory, facts, State::not_cut);
    case When::resumed_tripped: return resumes(memory, facts, State::tripped);
    case When::resumed_probation: return resumes(memory, facts, State::probation);
    // Parked outlives even a lapse: only a person ends it.
    case When::resumed_parked:
      return facts.start != Start::running && memory.resume == State::parked;
    default: return false;
  }
}

bool holds_on_probation(When when, const Memory& memory, const Facts& facts) noexcept {
  switch (when) {
    case When::may_close:
      return memory.phase == Phase::reviving && facts.revived && facts.group_ready &&
             !facts.host_latched && relay_rested(memory, facts);
    case When::report_late:
      return memory.phase == Phase::watching && due(memory.report_due_ns, facts);
    case When::heat_on_probation:
      return memory.phase != Phase::reviving && (facts.sign_of_heat || facts.risen);
    case When::reported: return memory.phase == Phase::watching && facts.first_report;
    case When::clean_over:
      return memory.phase == Phase::settling && due(memory.clean_due_ns, facts);
    case When::released:
      return memory.phase == Phase::clean && facts.release && !facts.hot && !facts.host_latched;
    default: return false;
  }
}

bool holds_while_stopping(When when, const Memory& memory, const Facts& facts) noexcept {
  switch (when) {
    case When::acknowledged: return facts.acknowledged && !memory.acknowledged;
    case When::not_acknowledged:
      return !memory.acknowledged && !facts.acknowledged && due(memory.acknowledge_due_ns, facts);
    case When::unreachable: return !memory.acknowledged && facts.unreachable;
    case When::fell_silent: return memory.acknowledged && facts.silent;
    case When::window_over: return due(memory.window_due_ns, facts);
    case When::target_back: return memory.acknowledged && facts.target_positive;
    default: return false;
  }
}

}  // namespace

std::int64_t relay_rests_until_ns(const Memory& memory) noexcept {
  const std::int64_t rest = std::chrono::nanoseconds{times::relay_open_minimum}.count();
  const std::int64_t hour = std::chrono::nanoseconds{std::chrono::hours{1}}.count();
  const auto oldest_ns = *std::min_element(memory.closings_ns.begin(), memory.closings_ns.end());
  const std::int64_t open_enough_ns = memory.opened_ns + rest;
  return oldest_ns == 0 ? open_enough_ns : std::max(open_enough_ns, oldest_ns + hour);
}

bool holds(When when, const Memory& memory, const Facts& facts) noexcept {
  switch (when) {
    case When::immediate_trip: return (facts.trips & ~software_causes) != 0;
    case When::software_trip: return (facts.trips & software_causes) != 0;
    case When::any_trip: return facts.trips != 0;
    case When::stopping_hot: return facts.service_stopping && facts.hot;
    case When::pulses_lapsed:
      return facts.pulses_lapsed && (memory.relay_closed || memory.state != State::tripped);
    case When::relay_found_open: return facts.relay_found_open && memory.relay_closed;
    case When::watch_asked: return facts.watch;
    case When::watch_over: return due(memory.watch_until_ns, facts);
    case When::arm_asked: return facts.arm;
    case When::proven: return memory.outcome != Outcome::proven && heat_has_ended(memory, facts);
    case When::risen: return facts.risen;
    case When::feedback_open: return contact_open(memory, facts);
    case When::feedback_live:
      return facts.has_relay && facts.feedback == Feedback::closed &&
             due(memory.feedback_due_ns, facts);
    case When::not_verifiable_dtr: return !facts.has_relay && facts.dtr_rung && !memory.dtr_used;
    case When::not_verifiable: return feedback_over(memory, facts);
    case When::heat_while_latched: return facts.sign_of_heat;
    case When::live_while_open:
      return facts.has_relay && !memory.relay_closed && facts.feedback == Feedback::closed &&
             facts.feedback_settled;
    case When::reset_valid: return facts.reset && !facts.host_latched;
    case When::repeat_due: return due(memory.send_due_ns, facts);
    case When::unparked: return facts.unpark;
    case When::acknowledged:
    case When::not_acknowledged:
    case When::unreachable:
    case When::fell_silent:
    case When::window_over:
    case When::target_back: return holds_while_stopping(when, memory, facts);
    case When::may_close:
    case When::report_late:
    case When::heat_on_probation:
    case When::reported:
    case When::clean_over:
    case When::released: return holds_on_probation(when, memory, facts);
    default: return holds_at_start(when, memory, facts);
  }
}

}  // namespace firebreak::guard::machine
