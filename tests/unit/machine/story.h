#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

#include "agent/guard/machine/machine.h"

namespace firebreak::guard::machine {

/// The table that the guard links; with FIREBREAK_WITHOUT_ROW=n in the environment, without its
/// n-th row. The mutation run (each_row_is_needed.sh) removes one row after the other and expects
/// a test to fail each time.
inline std::span<const Row> rows_under_test() {
  static const std::vector<Row> rows = [] {
    std::vector<Row> copy(table().begin(), table().end());
    if (const char* index = std::getenv("FIREBREAK_WITHOUT_ROW")) {
      copy.erase(copy.begin() + std::atoi(index));
    }
    return copy;
  }();
  return rows;
}

/// Facts of a healthy, cold printer behind a closed heartbeat relay: nothing is the matter.
inline Facts calm() {
  Facts facts;
  facts.has_relay = true;
  facts.covered = true;
  facts.feedback = Feedback::closed;
  facts.feedback_settled = true;
  facts.silent = false;
  facts.unreachable = false;
  facts.hot = false;
  facts.host_latched = false;
  facts.window_ns = std::chrono::nanoseconds{std::chrono::seconds{25}}.count();
  facts.group_ready = true;
  facts.revived = true;
  facts.boot_time_ns = std::chrono::nanoseconds{std::chrono::seconds{5}}.count();
  return facts;
}

/// A diary of one printer: facts are set, time passes, the machine steps as the stop thread lets
/// it, and what it asked for is remembered. The contact follows the relay's command.
class Story {
 public:
  Memory memory;
  Facts facts = calm();
  bool contact_follows = true;
  std::vector<std::string> rows;  ///< Names of all rows that were applied.
  int stops_sent = 0;
  int heaters_off_sent = 0;
  int dtr_pulses = 0;
  int revivals = 0;

  Story() { facts.now_ns = std::chrono::nanoseconds{std::chrono::hours{2}}.count(); }

  /// A printer that is armed with its relay closed, as after probation.
  static Story armed() {
    Story story;
    story.memory.state = State::armed;
    story.memory.relay_closed = true;
    story.memory.generation = 7;
    return story;
  }
  /// A printer that a press has stopped, proven by its contact.
  static Story tripped_by(Cause cause) {
    Story story = armed();
    story.trip(cause);
    story.after(std::chrono::milliseconds{20});
    return story;
  }
  /// A printer on probation with its power back, waiting for the first report.
  static Story on_probation() {
    Story story = tripped_by(Cause::button);
    story.after(std::chrono::seconds{11});
    story.reset();
    story.step();
    return story;
  }

  /// Steps until no row may follow in the same pass.
  void step() {
    for (int i = 0; i < 6; ++i) {
      const Decision decision = machine::step(rows_under_test(), memory, facts);
      if (decision.row == nullptr) break;
      rows.emplace_back(decision.row->name);
      stops_sent += decision.send == Send::stop ? 1 : 0;
      heaters_off_sent += decision.send == Send::heaters_off ? 1 : 0;
      dtr_pulses += decision.dtr ? 1 : 0;
      revivals += decision.revive ? 1 : 0;
      if ((decision.row->effects & effect::again) == 0) break;
    }
    facts.reset = facts.release = facts.arm = facts.watch = facts.unpark = false;
    if (contact_follows && facts.has_relay) {
      facts.feedback = memory.relay_closed ? Feedback::closed : Feedback::open;
    }
  }
  void trip(Cause cause) {
    facts.trips |= bit(cause);
    step();
  }
  /// Time passes at once; one step at its end.
  void after(std::chrono::nanoseconds time) {
    facts.now_ns += time.count();
    step();
  }
  /// Time passes in steps of 50 ms.
  void pass(std::chrono::nanoseconds time) {
    const std::int64_t until_ns = facts.now_ns + time.count();
    while (facts.now_ns < until_ns) after(std::chrono::milliseconds{50});
  }
  void reset() {
    facts.reset = true;
    step();
  }
  void release() {
    facts.release = true;
    step();
  }
  /// The guard dies and comes back.
  void restart(Start start) {
    begin_start(memory);
    facts.start = start;
    step();
  }
  /// Power was ordered off; whether it is already proven is another question.
  [[nodiscard]] bool is_cut() const {
    return !memory.relay_closed &&
           (memory.state == State::cutting || memory.state == State::tripped);
  }
  [[nodiscard]] std::string state() const { return std::string(name(memory.state)); }
  [[nodiscard]] std::string outcome() const { return std::string(name(memory.outcome)); }
};

}  // namespace firebreak::guard::machine
