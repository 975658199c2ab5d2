#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/uplink/guard_client.h"
#include "common/base/clock.h"
#include "common/wire/messages.h"

namespace firebreak::uplink {

/// Carries stops to the guard, on a connection of their own, and reports what became of them:
/// at once that the guard has taken the stop, then each printer's outcome as the guard sees it,
/// until every one has its last word. An outcome is passed on as the guard states it, never better.
///
/// A stop whose id is known is not done a second time, its state is told again: the coordinator
/// repeats a stop until it hears something, and only a new request of a person is a new stop. One
/// that did not reach the guard is tried again. One thread.
class StopRunner : public std::enable_shared_from_this<StopRunner> {
 public:
  /// How often the guard is asked for its status while a stop is followed.
  static constexpr std::chrono::milliseconds follow_interval{100};
  /// A guard that does not answer is asked again this often …
  static constexpr std::chrono::milliseconds retry_interval{500};
  /// … for this long, and the answer then is "not sent" (docs/protocol.md, "Stop").
  static constexpr std::chrono::seconds retry_max{600};
  /// Longest that an outcome is waited for: the slowest provable cooling takes 60 s (safety.md),
  /// after the 1.5 s and 3 s of the software stop.
  static constexpr std::chrono::seconds follow_max{90};
  /// A status may still show the time before the stop; the guard's monitor runs at 10 Hz.
  static constexpr std::chrono::milliseconds settle{300};
  /// Finished stops that are remembered, so that a repeat is recognised.
  static constexpr std::size_t remembered = 128;

  using Send = std::function<void(const wire::CommandResult&)>;
  static std::shared_ptr<StopRunner> create(asio::io_context& io, const Clock& clock,
                                            std::shared_ptr<GuardClient> guard, Send send);

  void run(const wire::Command& command);
  /// The guard's newest status, from whoever asked for it.
  void on_status(const nlohmann::json& status);
  /// Some stop waits for its outcome: ask for the status every follow_interval.
  [[nodiscard]] bool following() const;
  void stop();

 private:
  struct Stop {
    wire::Command command;
    std::vector<std::string> printers;  ///< Empty: all that the guard has.
    MonotonicTime began{};
    MonotonicTime taken{};  ///< When the guard took it.
    bool accepted = false;
    bool asking = false;
    wire::CommandResult last;  ///< What was reported last.
  };

  StopRunner(asio::io_context& io, const Clock& clock, std::shared_ptr<GuardClient> guard,
             Send send);
  void ask(const std::string& id);
  void on_answer(const std::string& id, const Result<nlohmann::json>& answer);
  void retry_later(const std::string& id);
  void report(Stop& stop, wire::CommandResult result);
  void judge(Stop& stop, const nlohmann::json& status);
  void forget_oldest();

  asio::io_context& io_;
  const Clock& clock_;
  std::shared_ptr<GuardClient> guard_;
  Send send_;
  std::map<std::string, Stop> stops_;
  std::deque<std::string> order_;
};

}  // namespace firebreak::uplink
