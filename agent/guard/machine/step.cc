#include <algorithm>
#include <bit>

#include "agent/guard/machine/machine.h"

namespace firebreak::guard::machine {
namespace {

template <class Duration>
constexpr std::int64_t ns(Duration duration) noexcept {
  return std::chrono::nanoseconds{duration}.count();
}

void add_causes(Memory& memory, CauseSet causes) noexcept {
  const CauseSet fresh = causes & ~memory.causes;
  if (fresh == 0) return;
  if (memory.causes == 0) {
    memory.first_cause = static_cast<std::uint8_t>(std::countr_zero(fresh));
  }
  memory.causes |= fresh;
  // A new cause is a new latch number, so a reset typed for the old one no longer fits.
  ++memory.generation;
}

void open_relay(Memory& memory, const Facts& facts) noexcept {
  if (!memory.relay_closed && memory.opened_ns != 0) return;
  memory.relay_closed = false;
  memory.opened_ns = facts.now_ns;
}

void close_relay(Memory& memory, const Facts& facts) noexcept {
  memory.relay_closed = true;
  memory.closed_ns = facts.now_ns;
  *std::min_element(memory.closings_ns.begin(), memory.closings_ns.end()) = facts.now_ns;
  memory.phase = Phase::watching;
  memory.report_due_ns = facts.now_ns + facts.boot_time_ns + ns(times::report_grace);
  memory.clean_due_ns = 0;
  memory.repeats = 0;
  memory.send_due_ns = facts.now_ns;
}

void begin_sending(Memory& memory, const Facts& facts, Decision& decision) noexcept {
  decision.send = Send::stop;
  memory.repeats = 0;
  // A proven stop is sent once more for each request; only an unproven one repeats.
  const bool repeats = memory.outcome != Outcome::proven;
  memory.send_due_ns = repeats ? facts.now_ns + ns(times::first_repeat) : 0;
}

void repeat_sending(Memory& memory, const Facts& facts, Decision& decision) noexcept {
  ++memory.repeats;
  if (memory.state == State::probation) {
    decision.send = Send::heaters_off;
    const bool more = memory.repeats < 5;  // A few suffice: each is answered, or ends probation.
    memory.send_due_ns = more ? facts.now_ns + ns(times::heaters_off_repeat) : 0;
    return;
  }
  decision.send = Send::stop;
  const bool fast = memory.repeats < times::fast_repeats && memory.state != State::not_cut;
  memory.send_due_ns = facts.now_ns + (fast ? ns(times::first_repeat) : ns(times::slow_repeat));
}

// A deadline that already runs is never renewed.
void start_once(std::int64_t& deadline_ns, std::int64_t at_ns) noexcept {
  if (deadline_ns == 0) deadline_ns = at_ns;
}

void start_stop(Memory& memory, const Facts& facts) noexcept {
  start_once(memory.acknowledge_due_ns, facts.now_ns + ns(times::acknowledge));
  // A window that is too long to prove anything ends with the acknowledgement's own timer.
  const bool provable = facts.window_ns > 0 && facts.window_ns <= ns(times::longest_window);
  start_once(memory.window_due_ns,
             facts.now_ns + (provable ? facts.window_ns : ns(times::acknowledge)));
}

void unlatch(Memory& memory) noexcept {
  memory.causes = 0;
  memory.outcome = Outcome::none;
  memory.acknowledged = false;
  memory.dtr_used = false;
  memory.acknowledge_due_ns = 0;
  memory.window_due_ns = 0;
  memory.feedback_due_ns = 0;
  memory.send_due_ns = 0;
  memory.repeats = 0;
}

// A deadline belongs to its state: none outlives it, none is taken into another.
void end_deadlines(Memory& memory) noexcept {
  memory.acknowledge_due_ns = 0;
  memory.window_due_ns = 0;
  memory.feedback_due_ns = 0;
  memory.report_due_ns = 0;
  memory.clean_due_ns = 0;
}

void enter(State to, Memory& memory, const Facts& facts) noexcept {
  if (memory.state == to) return;
  end_deadlines(memory);
  if (to != State::watch) memory.watch_until_ns = 0;
  if (memory.state == State::probation) memory.phase = Phase::none;
  if (to == State::stopping) memory.acknowledged = false;
  const bool begins_stop = memory.state == State::armed || memory.state == State::watch ||
                           memory.state == State::probation || memory.state == State::boot;
  if (begins_stop) memory.stopped_ns = facts.now_ns;
  memory.state = to;
  memory.entered_ns = facts.now_ns;
}

void apply_stop_effects(const Row& row, Memory& memory, const Facts& facts,
                        Decision& decision) noexcept {
  if (row.effects & (effect::start_stop | effect::start_cut | effect::unproven)) {
    memory.outcome = Outcome::sent;
  }
  if (row.effects & effect::open) open_relay(memory, facts);
  const bool needs_bytes = !(facts.start == Start::new_boot && facts.recorded_cold);
  if ((row.effects & effect::send_stop) && needs_bytes) begin_sending(memory, facts, decision);
  if (row.effects & effect::resend) repeat_sending(memory, facts, decision);
  if (row.effects & effect::start_stop) start_stop(memory, facts);
  if (row.effects & effect::start_cut) {
    start_once(memory.feedback_due_ns, facts.now_ns + facts.feedback_limit_ns);
  }
  if (row.effects & effect::acknowledge) {
    memory.acknowledged = true;
    memory.acknowledge_due_ns = 0;
  }
  if (row.effects & effect::prove) {
    memory.outcome = Outcome::proven;
    memory.send_due_ns = 0;
  }
  if (row.effects & effect::dtr) {
    decision.dtr = true;
    memory.dtr_used = true;
  }
}

void apply_return_effects(const Row& row, Memory& memory, const Facts& facts,
                          Decision& decision) noexcept {
  if (row.effects & effect::start_watch) {
    const std::int64_t asked_ns = facts.watch_ns > 0 ? facts.watch_ns : ns(times::watch_default);
    memory.watch_until_ns = facts.now_ns + std::min(asked_ns, ns(times::watch_longest));
  }
  if (row.effects & effect::end_watch) memory.no_new_heat |= no_new_heat::watch_ended;
  if (row.effects & effect::allow_heat) {
    memory.no_new_heat &= ~no_new_heat::watch_ended;
    memory.phase = Phase::none;
  }
  if (row.effects & effect::unlatch) unlatch(memory);
  if (row.effects & effect::revive) {
    memory.phase = Phase::reviving;
    decision.revive = true;
  }
  if (row.effects & effect::close) close_relay(memory, facts);
  if (row.effects & effect::settle) {
    memory.phase = Phase::settling;
    memory.report_due_ns = 0;
    memory.clean_due_ns = facts.now_ns + ns(times::clean);
  }
  if (row.effects & effect::finish) {
    memory.phase = Phase::clean;
    memory.clean_due_ns = 0;
  }
}

}  // namespace

Decision step(std::span<const Row> rows, Memory& memory, Facts& facts) noexcept {
  Decision decision;
  for (const auto& row : rows) {
    if ((row.from & in(memory.state)) == 0 || !holds(row.when, memory, facts)) continue;
    decision.row = &row;
    const bool was_starting = facts.start != Start::running;
    // A start latches what it found even where its row has no trip of its own.
    CauseSet taken = row.raises;
    if (row.effects & effect::latch) {
      taken |= facts.trips;
      facts.trips = 0;
    }
    add_causes(memory, taken);
    enter(row.to, memory, facts);
    apply_stop_effects(row, memory, facts, decision);
    apply_return_effects(row, memory, facts, decision);
    if (was_starting) {
      facts.start = Start::running;
      memory.resume = State::boot;
    }
    return decision;
  }
  return decision;
}

void begin_start(Memory& memory) noexcept {
  if (memory.state == State::boot) return;
  memory.resume = memory.state;
  memory.state = State::boot;
}

bool latched(const Memory& memory) noexcept {
  switch (memory.state) {
    case State::armed:
    case State::watch:
    case State::probation: return false;
    default: return true;
  }
}

bool alarm(const Memory& memory) noexcept {
  if (memory.state == State::not_cut) return true;
  return memory.state == State::tripped && memory.outcome != Outcome::proven;
}

std::int64_t next_deadline_ns(const Memory& memory) noexcept {
  std::int64_t next = 0;
  for (const auto deadline_ns :
       {memory.acknowledge_due_ns, memory.window_due_ns, memory.feedback_due_ns, memory.send_due_ns,
        memory.watch_until_ns, memory.report_due_ns, memory.clean_due_ns}) {
    if (deadline_ns != 0 && (next == 0 || deadline_ns < next)) next = deadline_ns;
  }
  return next;
}

}  // namespace firebreak::guard::machine
