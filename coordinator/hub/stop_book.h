#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/clock.h"

namespace firebreak::coordinator {

/// One stop at one agent that has no final answer yet.
struct OpenStop {
  std::string operation;
  std::string agent;
  std::vector<std::string> printers;  ///< Empty: all.
  std::string who;
  MonotonicTime expires{};
  MonotonicTime sent_at{};
  bool ever_sent = false;  ///< It left for the agent at least once.
  bool answered = false;   ///< The agent has taken it; only its end is missing.
};

/// Remembers which stops are still to be answered, and says what is to be sent again when. Pure
/// bookkeeping: no socket, no clock. One thread at a time.
class StopBook {
 public:
  /// Most stops that are remembered. A stop beyond it is still sent, but once.
  static constexpr std::size_t open_max = 20'000;

  /// Notes a stop; returns false when the book is full. The same (operation, agent) again replaces.
  bool add(OpenStop stop);

  /// Marks it as sent now.
  void sent(std::string_view operation, std::string_view agent, MonotonicTime now);
  /// The agent answered; a final answer strikes it out. False for a stop that is not open here.
  bool answered(std::string_view operation, std::string_view agent, bool final_answer);

  /// The open stops of an agent, oldest first: what is sent when it comes (back).
  [[nodiscard]] std::vector<OpenStop> of_agent(std::string_view agent) const;
  /// Sent, not answered, and silent for `resend`.
  [[nodiscard]] std::vector<OpenStop> silent(MonotonicTime now,
                                             std::chrono::nanoseconds resend) const;
  /// Strikes out and returns all of an agent that will not come back.
  std::vector<OpenStop> take_agent(std::string_view agent);
  /// Strikes out and returns what nobody has finished in time.
  std::vector<OpenStop> take_expired(MonotonicTime now);

  [[nodiscard]] std::size_t size() const { return open_.size(); }

 private:
  using Key = std::pair<std::string, std::string>;  ///< agent, operation
  std::map<Key, OpenStop> open_;
};

}  // namespace firebreak::coordinator
