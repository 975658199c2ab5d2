#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/chain/sha256.h"
#include "coordinator/audit/audit_log.h"
#include "coordinator/hub/ports.h"

namespace firebreak::coordinator {

/// What a token may do. A bit set.
enum class Scope : unsigned { view = 1, stop = 2, operate = 4, reset = 8, admin = 16 };
inline constexpr unsigned all_scopes = 31;

/// All times in rows are milliseconds since 1970 (UTC): for people, never for order.
struct TokenRow {
  std::string id;  ///< 12 hex digits.
  std::string name;
  bool person = false;  ///< A machine's token never holds Scope::reset.
  unsigned scopes = 0;
  chain::Digest secret_hash{};  ///< SHA-256 of the secret; the secret itself is nowhere.
  std::int64_t created_ms = 0;
  std::optional<std::int64_t> expires_ms;
  std::optional<std::int64_t> revoked_ms;
};

struct AgentRow {
  std::string name;
  std::int64_t enrolled_ms = 0;
  std::optional<std::int64_t> revoked_ms;
  std::optional<std::int64_t> last_seen_ms;
  std::string software;
  std::string certificate;  ///< Newest one's fingerprint, hex; empty when there is none.
  std::int64_t certificate_expires_ms = 0;
};

struct PrinterRow {
  std::string agent;
  std::string name;
};

struct LogRow {
  std::string agent;
  std::string log;
  std::uint64_t stored = 0;
  bool chain_ok = true;
};

struct EnrollmentRow {
  std::string id;
  std::string agent;
  chain::Digest secret_hash{};
  std::int64_t created_ms = 0;
  std::int64_t expires_ms = 0;
  std::optional<std::int64_t> used_ms;
};

struct EventRow {
  std::int64_t id = 0;
  std::string agent;  ///< Empty: the coordinator's own.
  std::int64_t received_ms = 0;
  bool chain_ok = true;
  nlohmann::json body;  ///< As the agent sent it.
};

/// Which events a page is for. Empty texts match everything.
struct EventQuery {
  std::int64_t after = 0;
  std::size_t limit = 100;
  bool newest = false;  ///< The newest `limit` instead of those after `after`.
  std::string agent;
  std::string printer;
  std::string severity;
};

struct OperationRow {
  std::string id;
  std::string kind;
  std::int64_t created_ms = 0;
  bool waiting = false;  ///< A target has not answered: taken up again after a restart.
  nlohmann::json body;
  std::uint64_t revision = 0;  ///< Rises with each save: a late older one changes nothing.
};

/// An event of the coordinator's own, stored beside those of agents.
struct OwnEvent {
  std::string kind;
  std::string severity;
  std::string agent;    ///< Whom it is about, or empty.
  std::string printer;  ///< The same.
  std::string text;
  nlohmann::json data = nlohmann::json::object();
};

enum class StoreHealth { ok, full, failed };

/// Everything that the coordinator must not forget. Each change is one transaction that also
/// appends its audit record, and is on the disk when the call returns; a failed call changed
/// nothing. Errors of every call: unavailable (disk full, I/O, or no answer in time: see
/// health()), corrupt, internal; more are named where they occur.
/// Thread-safe. Calls may block on the disk: never call from the threads that carry stops.
class Store {
 public:
  using Done = std::function<void(const Result<void>&)>;
  virtual ~Store() = default;

  // Reading.
  virtual Result<std::vector<TokenRow>> tokens() = 0;
  virtual Result<std::vector<AgentRow>> agents() = 0;
  virtual Result<std::vector<PrinterRow>> printers() = 0;
  virtual Result<std::vector<LogRow>> logs() = 0;
  virtual Result<std::vector<EnrollmentRow>> enrollments() = 0;
  virtual Result<std::vector<EventRow>> events(const EventQuery& query) = 0;
  virtual Result<std::int64_t> last_event_id() = 0;
  virtual Result<std::optional<OperationRow>> operation(const std::string& id) = 0;
  virtual Result<std::vector<OperationRow>> waiting_operations() = 0;
  virtual Result<std::vector<AuditRecord>> audit_records(std::uint64_t after,
                                                         std::uint64_t limit) = 0;
  virtual Result<AuditVerdict> verify_audit() = 0;

  // Changing. `who` stands in the audit record.
  virtual Result<void> add_token(const TokenRow& token, const std::string& who) = 0;
  /// not_found; refused when it was revoked before.
  virtual Result<TokenRow> revoke_token(const std::string& id, const std::string& who) = 0;
  virtual Result<void> add_enrollment(const EnrollmentRow& row, const std::string& who) = 0;
  /// not_found. Revoking twice is no error; the first time counts. Returns that time.
  virtual Result<std::int64_t> revoke_agent(const std::string& name, const std::string& who) = 0;
  /// Printers that this agent has shown for the first time.
  virtual void note_printers(const std::string& agent, std::vector<std::string> names) = 0;
  /// The agent came or went (`text` says which); its row keeps time and software.
  virtual void note_agent(const std::string& agent, const std::string& software,
                          OwnEvent event) = 0;

  /// Writes an operation and its record as soon as the disk lets it, however long that takes;
  /// `done` (may be empty) hears of the first attempt. At most 10,000 wait; more are counted lost
  /// and said so in the log. Never blocks.
  virtual void save_operation(OperationRow row, AuditDraft draft, Done done) = 0;
  /// An audit record, and an event when it has a text, on their own; never blocks; lost (and
  /// counted) when the disk is full.
  virtual void record(AuditDraft draft, OwnEvent event) = 0;

  // The hub's needs; see hub/ports.h.
  virtual AgentRegistry& registry() = 0;
  virtual EventSink& sink() = 0;

  // State. Never blocks.
  virtual std::uint64_t epoch() const = 0;
  virtual std::string head() const = 0;
  virtual StoreHealth health() const = 0;
  /// Newest event id that is committed.
  virtual std::int64_t newest_event() const = 0;
  /// Called on the store's thread after events were committed. Set once, before use.
  virtual void on_events(std::function<void()> listener) = 0;
};

}  // namespace firebreak::coordinator
