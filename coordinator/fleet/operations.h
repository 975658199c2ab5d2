#pragma once

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "coordinator/fleet/fleet_state.h"
#include "coordinator/front_door/stream_source.h"
#include "coordinator/hub/hub.h"
#include "coordinator/store/store.h"

namespace firebreak::coordinator {

/// A connected agent that has not answered a stop for this long counts as silent: its printers are
/// told as unknown, and the operation's stream ends. The stop is still repeated.
inline constexpr std::chrono::seconds stop_silence_max{15};
/// An operation's stream ends at the latest after this; what comes later shows in the operation.
inline constexpr std::chrono::minutes operation_watch_max{15};
/// Finished operations that stay in memory; older ones are read from the store.
inline constexpr std::size_t finished_operations_kept = 1000;

/// A new id of an operation or an inquiry: 16 random hexadecimal digits.
std::string new_operation_id();

/// What operations and inquiries need of the hub; see Hub for the promises.
class AgentLink {
 public:
  virtual ~AgentLink() = default;
  virtual void send_stop(std::vector<StopTarget> targets, std::string operation, std::string who,
                         std::chrono::seconds within) = 0;
  virtual void send_grant(GrantRequest request) = 0;
  virtual void send_command(std::string agent, std::string operation, std::string verb,
                            std::string arguments, std::chrono::milliseconds ttl) = 0;
};

/// Which printers a stop is for: exactly one of the three.
struct StopSelection {
  std::vector<std::string> printers;  ///< `name` or `agent:name`.
  std::string agent;
  bool all = false;
};

/// Who asks, for the record.
struct Requester {
  std::string who;
  std::string token_id;
  std::string reason;
};

/// What a request became.
struct StartedOperation {
  std::string id;  ///< Empty: nothing was started, no target exists.
  std::vector<PrinterKey> targets;
  std::vector<std::string> unknown;  ///< Names that nothing has.
};

/// Starts stops, resets and releases, and gathers each printer's answer. Thread-safe; no function
/// but waiting for `done` callbacks ever waits for a disk.
class Operations {
 public:
  Operations(const Clock& clock, FleetState& fleet, Store& store, AgentLink& link)
      : clock_(clock), fleet_(fleet), store_(store), link_(link) {}

  /// Called after any answer, from any thread. Set once, before use.
  void on_change(std::function<void()> listener) { listener_ = std::move(listener); }

  /// How long a stop is offered to an agent that is away; for stops from now on. Any thread.
  void offer_stops_for(std::chrono::seconds time) { stop_retry_ = time; }

  /// Takes up the stops that had not reached everybody when the coordinator ended. One whose time
  /// has passed meanwhile is not sent: it is told as missed.
  Result<void> resume();

  /// Sends a stop now, and records it after. `recorded` (may be empty) hears whether the record is
  /// on the disk.
  StartedOperation start_stop(const StopSelection& selection, const Requester& requester,
                              Store::Done recorded);
  /// `kind`: "reset" or "release".
  std::string start_grant(const std::string& kind, const PrinterKey& printer,
                          std::uint64_t latch_number, const Requester& requester,
                          Store::Done recorded);

  void on_update(const CommandUpdate& update);
  /// The printer has been seen latched: no missed stop is held against it any more.
  void on_seen_stopped(const PrinterKey& printer);
  /// Once a second.
  void tick();

  /// In the shape of openapi.json's Operation; null when there is none. May read the store.
  [[nodiscard]] nlohmann::json view(const std::string& id);
  /// The token that started it; empty when there is no such operation (in memory).
  [[nodiscard]] std::string starter(const std::string& id);
  /// The stream of /operations/{id}/events, after its `after`-th answer.
  std::unique_ptr<StreamSource> stream(const std::string& id, std::size_t after);

 private:
  struct Answer {
    std::string outcome;  ///< Empty: none.
    std::string state = "unknown";
    std::string result = "pending";
    std::string message;
    std::string code;
    bool final_answer = false;
    std::optional<MonotonicTime> at;
  };
  enum class Reach { waiting, away, silent, finished };
  struct Operation {
    std::string id;
    std::string kind;
    Requester requester;
    std::int64_t created_ms = 0;
    MonotonicTime created{};
    bool recorded = false;
    bool done = false;
    bool retired = false;         ///< Nothing is owed any more; it may leave the memory.
    std::uint64_t revision = 0;   ///< Of the last save.
    std::set<PrinterKey> missed;  ///< A stop that was given up; until each is seen stopped.
    std::map<std::string, Reach> agents;
    std::map<std::string, std::vector<std::string>> asked;  ///< Agent → printers; empty: all.
    std::map<PrinterKey, Answer> answers;
    std::vector<nlohmann::json> history;  ///< Each answer as it came.
  };
  class Stream;

  std::shared_ptr<Operation> make(const std::string& kind, const Requester& requester);
  void keep(std::shared_ptr<Operation> operation);
  void save(Operation& operation, AuditDraft draft, Store::Done done);
  void refuse_revoked(Operation& operation, const std::string& agent);
  void take_missed(Operation& operation, const CommandUpdate& update);
  void forgive(const PrinterKey& printer);
  void remember_missed(const Operation& operation, const PrinterKey& printer, bool ever_sent);
  void resume_one(const OperationRow& row, const std::shared_ptr<Operation>& operation);
  void take_printer(Operation& operation, const CommandUpdate& update, const PrinterAnswer& answer);
  void take_error(Operation& operation, const CommandUpdate& update);
  void take_omissions(Operation& operation, const std::string& agent);
  void take_silence(Operation& operation, const std::string& agent);
  void set_answer(Operation& operation, const PrinterKey& key, Answer answer);
  void settle(Operation& operation);
  nlohmann::json answer_json(const PrinterKey& key, const Answer& answer) const;
  nlohmann::json operation_json(const Operation& operation) const;
  std::shared_ptr<Operation> restore(const OperationRow& row) const;

  const Clock& clock_;
  FleetState& fleet_;
  Store& store_;
  AgentLink& link_;
  std::function<void()> listener_;  // constant after start
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Operation>> operations_;  // guarded by mutex_
  std::deque<std::string> finished_;                              // guarded by mutex_
  std::map<PrinterKey, std::string> missed_;  ///< Printer → newest such stop; guarded by mutex_.
  std::atomic<std::chrono::seconds> stop_retry_{stop_retry_default};
};

}  // namespace firebreak::coordinator
