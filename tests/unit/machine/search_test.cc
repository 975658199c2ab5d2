// Searches everything that one printer's machine can reach, with every pair of facts, every request
// with every fact, every kind of trip and contact, time at rest, at the next deadline and far
// beyond, and a crash with each kind of restart after every committed write. It drives
// machine::step() and table() as the guard links them. Abstractions: latch numbers, repeats and the
// six closings an hour are left out (diary tests have them); times count relative to now.

#include <array>
#include <cstdio>
#include <deque>
#include <unordered_set>
#include <vector>

#include "tests/unit/machine/story.h"

namespace firebreak::guard::machine {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t ns(std::chrono::nanoseconds time) { return time.count(); }
constexpr std::int64_t now_ns = ns(1000h);
constexpr std::int64_t far_ns = ns(9000h);

using Key = std::array<std::int64_t, 19>;

struct KeyHash {
  std::size_t operator()(const Key& key) const {
    std::size_t hash = 0;
    for (const auto value : key) hash = hash * 1'000'003 + static_cast<std::size_t>(value);
    return hash;
  }
};

std::int64_t relative(std::int64_t deadline_ns, std::int64_t at_ns) {
  if (deadline_ns == 0) return 0;
  return std::max<std::int64_t>(deadline_ns - at_ns, 0) + 1;
}

// Causes as the machine distinguishes them.
CauseSet essence(CauseSet causes) {
  CauseSet kept = 0;
  if (causes & software_causes) kept |= bit(Cause::person);
  if (causes & ~software_causes & ~bit(Cause::sensor_out)) kept |= bit(Cause::button);
  if (has(causes, Cause::sensor_out)) kept |= bit(Cause::sensor_out);
  return kept;
}

// The same situation moved to `now_ns`, without what the search abstracts from.
Memory normal(const Memory& memory, std::int64_t at_ns) {
  Memory out = memory;
  const auto move = [&](std::int64_t& time_ns) {
    if (time_ns != 0) time_ns = now_ns + std::max<std::int64_t>(time_ns - at_ns, 0);
  };
  for (auto* time_ns : {&out.acknowledge_due_ns, &out.window_due_ns, &out.feedback_due_ns,
                        &out.watch_until_ns, &out.report_due_ns, &out.clean_due_ns}) {
    move(*time_ns);
  }
  // When a repeat is due is left to the environment: it may be at any moment.
  if (out.send_due_ns != 0) out.send_due_ns = far_ns;
  const bool rested = at_ns - memory.opened_ns >= ns(times::relay_open_minimum);
  out.opened_ns = rested ? now_ns - ns(1h) : now_ns;
  out.entered_ns = out.stopped_ns = out.closed_ns = 0;
  out.closings_ns = {};
  out.generation = 0;
  out.repeats = 0;
  out.first_cause = 0;
  out.causes = essence(out.causes);
  return out;
}

Key key_of(const Memory& m) {
  return {static_cast<int>(m.state),
          static_cast<int>(m.resume),
          static_cast<int>(m.phase),
          static_cast<int>(m.outcome),
          m.relay_closed,
          m.dtr_used,
          m.acknowledged,
          m.causes,
          m.no_new_heat,
          relative(m.acknowledge_due_ns, now_ns),
          relative(m.window_due_ns, now_ns),
          relative(m.feedback_due_ns, now_ns),
          m.send_due_ns != 0,
          relative(m.watch_until_ns, now_ns),
          relative(m.report_due_ns, now_ns),
          relative(m.clean_due_ns, now_ns),
          m.opened_ns == now_ns,
          0,
          0};
}

// The booleans that the environment may set at will, each away from the calm base.
using Flip = void (*)(Facts&);
constexpr std::array<Flip, 18> flips{
    [](Facts&) {},
    [](Facts& f) { f.acknowledged = true; },
    [](Facts& f) { f.silent = true; },
    [](Facts& f) { f.unreachable = true; },
    [](Facts& f) { f.cooled = true; },
    [](Facts& f) { f.cooled_elsewhere = true; },
    [](Facts& f) { f.risen = true; },
    [](Facts& f) { f.target_positive = true; },
    [](Facts& f) { f.sign_of_heat = true; },
    [](Facts& f) { f.first_report = true; },
    [](Facts& f) { f.hot = true; },
    [](Facts& f) { f.pulses_lapsed = true; },
    [](Facts& f) { f.service_stopping = f.hot = true; },
    [](Facts& f) { f.relay_found_open = true; },
    [](Facts& f) { f.host_latched = true; },
    [](Facts& f) { f.group_ready = false; },
    [](Facts& f) { f.revived = false; },
    [](Facts& f) { f.feedback_settled = false; },
};
constexpr std::array<Flip, 6> requests{
    [](Facts&) {},
    [](Facts& f) { f.reset = true; },
    [](Facts& f) { f.release = true; },
    [](Facts& f) { f.arm = true; },
    [](Facts& f) { f.watch = true; },
    [](Facts& f) { f.unpark = true; },
};
constexpr std::array<CauseSet, 5> trips{0, bit(Cause::button), bit(Cause::sensor_out),
                                        bit(Cause::person),
                                        bit(Cause::person) | bit(Cause::over_limit)};
constexpr std::array contacts{Feedback::open, Feedback::closed, Feedback::none};

bool on_guard(State state) { return state == State::armed || state == State::watch; }

bool same_or_ended(std::int64_t before_ns, std::int64_t after_ns) {
  return before_ns == 0 || after_ns == 0 || before_ns == after_ns;
}

class Search {
 public:
  explicit Search(Facts base) : base_(base) {}

  void run() {
    Memory first;
    first.opened_ns = now_ns - ns(1h);
    for (const Start start : {Start::new_boot, Start::bad_slot}) restart(first, start);
    while (!open_.empty() && failures_.empty()) {
      const Memory memory = open_.front();
      open_.pop_front();
      expand(memory);
    }
  }

  std::vector<std::string> failures_;
  std::size_t states_ = 0;
  std::size_t transitions_ = 0;
  std::vector<std::size_t> rows_ = std::vector<std::size_t>(table().size());

 private:
  void expand(const Memory& memory) {
    for (const Start start : {Start::resumed, Start::lapsed, Start::too_often}) {
      restart(memory, start);
    }
    std::int64_t next_ns = next_deadline_ns(memory);
    if (next_ns == far_ns) next_ns = 0;
    for (const std::int64_t at_ns :
         {now_ns, next_ns == 0 ? now_ns : std::max(next_ns, now_ns), now_ns + ns(2h)}) {
      for (const Feedback contact : contacts) repeat(memory, at_ns, contact);
      for (const CauseSet trip : trips) {
        for (const Feedback contact : contacts) {
          for (const auto request : requests) {
            for (const auto flip : flips)
              act(memory, at_ns, trip, contact, request, flip, flips[0]);
          }
          for (std::size_t i = 1; i < flips.size(); ++i) {
            for (std::size_t k = i + 1; k < flips.size(); ++k) {
              act(memory, at_ns, trip, contact, requests[0], flips[i], flips[k]);
            }
          }
        }
      }
    }
  }

  void repeat(Memory memory, std::int64_t at_ns, Feedback contact) {
    if (memory.send_due_ns == 0) return;
    memory.send_due_ns = at_ns;
    act(memory, at_ns, 0, contact, requests[0], flips[0], flips[0]);
  }

  void act(const Memory& memory, std::int64_t at_ns, CauseSet trip, Feedback contact, Flip request,
           Flip first, Flip second) {
    Facts facts = base_;
    facts.now_ns = at_ns;
    facts.trips = trip;
    if (facts.has_relay) facts.feedback = contact;
    request(facts);
    first(facts);
    second(facts);
    take(memory, facts);
  }

  // A crash after a write leaves exactly that memory; the guard comes back in BOOT.
  void restart(const Memory& memory, Start start) {
    for (const Feedback contact : contacts) {
      for (const CauseSet trip : trips) {
        Memory again = memory;
        begin_start(again);
        begin_start(again);  // It may die in BOOT, too.
        Facts facts = base_;
        facts.now_ns = now_ns;
        facts.start = start;
        facts.trips = trip;
        if (facts.has_relay) facts.feedback = contact;
        take(again, facts);
      }
    }
  }

  void take(const Memory& before, Facts facts) {
    Memory after = before;
    const Facts given = facts;
    bool sent = false;
    for (int i = 0; i < 6; ++i) {
      const Memory step_before = after;
      const Decision decision = step(table(), after, facts);
      if (decision.row == nullptr) break;
      ++rows_[static_cast<std::size_t>(decision.row - table().data())];
      sent = sent || decision.send == Send::stop;
      check_step(step_before, after, *decision.row, given);
      if ((decision.row->effects & effect::again) == 0) break;
    }
    ++transitions_;
    check_pass(before, after, given, facts, sent);
    const Memory moved = normal(after, given.now_ns);
    if (seen_.insert(key_of(moved)).second) {
      ++states_;
      open_.push_back(moved);
    }
  }

  void check_step(const Memory& before, const Memory& after, const Row& row, const Facts& facts) {
    const bool closes = !before.relay_closed && after.relay_closed;
    if (closes && (before.state != State::probation || after.state != State::probation)) {
      complain("a relay closes outside probation", row);
    }
    if (closes && (!facts.group_ready || facts.host_latched)) {
      complain("a relay closes though its group or host is latched", row);
    }
    const bool armed = on_guard(after.state) && !on_guard(before.state);
    const bool resumed =
        before.state == State::boot && on_guard(before.resume) && facts.start == Start::resumed;
    const bool released = before.state == State::probation && before.phase == Phase::clean &&
                          facts.release && !facts.hot;
    if (armed && !resumed && !released) complain("armed without reset and release", row);
    if (after.state == State::probation && before.state != State::probation &&
        (before.state != State::tripped || !facts.reset || facts.host_latched)) {
      complain("probation without a valid reset", row);
    }
    if (before.state == after.state && before.phase == after.phase &&
        !(same_or_ended(before.acknowledge_due_ns, after.acknowledge_due_ns) &&
          same_or_ended(before.window_due_ns, after.window_due_ns) &&
          same_or_ended(before.feedback_due_ns, after.feedback_due_ns) &&
          same_or_ended(before.watch_until_ns, after.watch_until_ns) &&
          same_or_ended(before.report_due_ns, after.report_due_ns) &&
          same_or_ended(before.clean_due_ns, after.clean_due_ns))) {
      complain("a deadline is renewed", row);
    }
    if (before.state == State::boot && after.state == State::watch &&
        before.watch_until_ns != after.watch_until_ns) {
      complain("a restart renews watch mode", row);
    }
    check_proof(before, after, row, facts);
  }

  void check_proof(const Memory& before, const Memory& after, const Row& row, const Facts& facts) {
    if (after.outcome != Outcome::proven || before.outcome == Outcome::proven) return;
    const bool contact =
        facts.has_relay && facts.covered && facts.feedback == Feedback::open && !after.relay_closed;
    const bool software_only = (after.causes & ~software_causes) == 0;
    if (contact || facts.cooled_elsewhere) return;
    if (facts.cooled && software_only) return;
    // Guard causes that doubt no sensor may be proven by it as well.
    constexpr CauseSet mild = bit(Cause::host_restart) | bit(Cause::guard_lapsed) |
                              bit(Cause::bad_slot) | bit(Cause::service_stop) | software_causes;
    const bool essence_hides_it = (after.causes & ~mild & ~bit(Cause::button)) == 0;
    if (facts.cooled && essence_hides_it && !has(after.causes, Cause::button)) return;
    complain("proven without a proof", row);
  }

  void check_pass(const Memory& before, const Memory& after, const Facts& given, const Facts& left,
                  bool sent) {
    if (given.trips != 0 && left.trips == 0 &&
        (essence(after.causes) & essence(given.trips)) != essence(given.trips)) {
      complain("a trip was lost", before, after);
    }
    if (given.trips != 0 && left.trips == given.trips) {
      complain("a trip was not taken", before, after);
    }
    if (given.trips != 0 && !sent) complain("a stop was not sent again", before, after);
    const bool immediate = (given.trips & ~software_causes) != 0;
    if (immediate && after.relay_closed) complain("power stays after a trip", before, after);
    if (given.pulses_lapsed && given.start == Start::running && after.relay_closed &&
        before.relay_closed) {
      complain("a relay stays closed over a lapse", before, after);
    }
    if (latched(after) && after.relay_closed && after.state != State::stopping &&
        !(after.state == State::tripped && after.outcome == Outcome::proven)) {
      complain("a latched printer keeps its power unproven", before, after);
    }
    if (after.state == State::stopping && after.window_due_ns == 0) {
      complain("a stop without an end", before, after);
    }
    if (after.state == State::cutting && after.feedback_due_ns == 0) {
      complain("a cut without an end", before, after);
    }
    if (after.state == State::boot) complain("BOOT was not left", before, after);
  }

  void complain(std::string what, const Row& row) {
    failures_.push_back(what + ": " + std::string(row.name));
  }
  void complain(std::string what, const Memory& before, const Memory& after) {
    failures_.push_back(what + ": " + std::string(name(before.state)) + " -> " +
                        std::string(name(after.state)));
  }

  const Facts base_;
  std::deque<Memory> open_;
  std::unordered_set<Key, KeyHash> seen_;
};

std::string first_of(const std::vector<std::string>& failures) {
  return failures.empty() ? "" : failures.front();
}

TEST(TheSearch, FindsNoWayToHeatPowerOrARenewedDeadlineBehindARelay) {
  Facts base = calm();
  base.feedback_limit_ns = ns(300ms);  // Longer than a repeat of the bytes.
  Search search(base);
  search.run();
  EXPECT_EQ(first_of(search.failures_), "");
  std::printf("behind a relay: %zu situations, %zu passes\n", search.states_, search.transitions_);
  for (std::size_t i = 0; i < table().size(); ++i) {
    if (table()[i].when == When::not_verifiable_dtr) continue;  // Only without a relay.
    EXPECT_GT(search.rows_[i], 0u) << "never reached: " << table()[i].name;
  }
}

TEST(TheSearch, FindsNoWayToHeatOrARenewedDeadlineWithoutARelay) {
  Facts base = calm();
  base.has_relay = base.covered = false;
  base.feedback = Feedback::none;
  base.dtr_rung = true;
  Search search(base);
  search.run();
  EXPECT_EQ(first_of(search.failures_), "");
  std::printf("without a relay: %zu situations, %zu passes\n", search.states_, search.transitions_);
}

}  // namespace
}  // namespace firebreak::guard::machine
