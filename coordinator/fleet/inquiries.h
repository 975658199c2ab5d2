#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "coordinator/fleet/operations.h"

namespace firebreak::coordinator {

/// Questions to an agent that it answers once and that change no printer's state: a scan, a
/// diagnosis. In memory alone: after a restart of the coordinator they are asked again.
/// Thread-safe; returns at once.
class Inquiries {
 public:
  /// Questions without an answer; more are refused.
  static constexpr std::size_t open_max = 64;
  /// Answered questions that are remembered.
  static constexpr std::size_t kept = 256;

  Inquiries(const Clock& clock, AgentLink& link) : clock_(clock), link_(link) {}

  /// Asks. The id of the question, or refused (too many are open).
  Result<std::string> start(const std::string& agent, const std::string& verb,
                            const nlohmann::json& arguments);
  /// True when the update was the answer to one of these questions.
  bool on_update(const CommandUpdate& update);
  /// {"id", "agent", "kind", "state": "running"|"done"|"failed"|"refused", "error", "age_ms",
  /// "answer"}; null when there is no such question (any more).
  [[nodiscard]] nlohmann::json view(const std::string& id) const;

 private:
  struct Inquiry {
    std::string agent;
    std::string kind;
    std::string state = "running";
    std::string error;
    MonotonicTime since{};
    std::shared_ptr<const nlohmann::json> answer;
  };

  const Clock& clock_;
  AgentLink& link_;
  mutable std::mutex mutex_;
  std::map<std::string, Inquiry> inquiries_;  // guarded by mutex_
  std::deque<std::string> answered_;          // guarded by mutex_
};

}  // namespace firebreak::coordinator
