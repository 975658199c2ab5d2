#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "agent/guard/control/service.h"
#include "common/base/clock.h"

namespace firebreak::guard {

/// Longest that one `events` request may wait for the first new event.
inline constexpr std::chrono::milliseconds events_wait_max{5000};
/// Most events in one answer; fewer where they would not fit into a line.
inline constexpr int events_limit_max = 500;

/// One line of a client, from its arrival until its answer is on the way.
struct Request {
  nlohmann::json body;  ///< An object, or null where `problem` says why not.
  std::string problem;  ///< Not empty: answered as bad_request with this sentence.
  std::string verb;     ///< The "do" field.
  std::string answer;   ///< Without line feed; valid once `done`.
  std::string serves;   ///< A printer's name: this connection becomes its line after the answer.
  bool done = false;
  bool waiting = false;        ///< An `events` that found nothing yet.
  MonotonicTime wait_until{};  ///< Set when `waiting` is first set.
  MonotonicTime next_look{};   ///< When a waiting request looks again by itself.
};

/// Reads one line. Never fails: what is wrong with it becomes its answer.
Request parse_request(std::string_view line);

/// An answer for a line that never became a request (too long, never finished, no slot).
std::string problem_answer(std::string_view code, std::string_view message);

/// Performs `request` for `peer` and fills its answer, or marks it as waiting where an `events`
/// found nothing and `may_wait`. Checks rights and field types before the service sees anything.
/// `stops` counts the stop requests of this guard's life. No exception leaves.
void perform(Request& request, GuardService& service, const Peer& peer, MonotonicTime now,
             bool may_wait, std::uint64_t& stops) noexcept;

}  // namespace firebreak::guard
