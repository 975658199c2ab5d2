#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/identity/certificate.h"

/// What the hub needs from the rest of the coordinator. The hub depends on these interfaces only;
/// the store and the fleet implement them, the unit tests fake them.
namespace firebreak::coordinator {

/// What the registry says about a certificate that an agent shows.
enum class Standing {
  good,
  unknown,     ///< No such agent, or a certificate that was never issued to it.
  superseded,  ///< Issued once, replaced since by a newer one that has been used.
  revoked,
};

/// How far an agent's events have come, for one black-box log.
struct LogPosition {
  std::string log;            ///< 16 hex digits.
  std::uint64_t stored = 0;   ///< Highest sequence number that is committed here; 0: none.
  std::uint64_t durable = 0;  ///< Highest one that is safe off this host; never above `stored`.
};

/// The answer to a batch of events.
struct Receipt {
  LogPosition position;
  std::uint64_t index = 0;  ///< Index of the audit record that carries this batch.
  std::string head;         ///< Head of the audit log after it, hex.
};

/// Enrolment and certificates. Every call may block on the disk: the hub makes them on its own
/// worker thread, one at a time, never on the thread that carries stops.
class AgentRegistry {
 public:
  virtual ~AgentRegistry() = default;

  /// Uses up the enrolment whose secret hashes to `secret_hash` (SHA-256 of the 32 secret bytes)
  /// and registers `certificate_fingerprint` as the agent's only certificate, in one transaction.
  /// `sign` is called inside it, after the checks, to make the certificate; when it fails nothing
  /// is used up. Errors: not_allowed (unknown, used, expired, or made for another agent; the
  /// message for the log says which, the peer is never told).
  using Sign = std::function<Result<identity::CertificateInfo>()>;
  virtual Result<identity::CertificateInfo> enroll(std::string_view agent,
                                                   std::span<const std::uint8_t, 32> secret_hash,
                                                   const Sign& sign) = 0;

  /// Judges a certificate that an agent shows; called on every connection, resumed ones too.
  virtual Result<Standing> standing(std::string_view agent,
                                    const identity::Fingerprint& certificate) = 0;

  /// Adds a renewed certificate beside the present one, both good from now on.
  virtual Result<void> add_certificate(std::string_view agent,
                                       const identity::CertificateInfo& certificate) = 0;

  /// `certificate` has been used to connect: older ones of this agent are superseded.
  virtual Result<void> certificate_used(std::string_view agent,
                                        const identity::Fingerprint& certificate) = 0;
};

/// Events of agents. Called on the hub's worker thread.
class EventSink {
 public:
  virtual ~EventSink() = default;

  /// Where this agent's logs stand; empty for one that never sent any.
  virtual Result<std::vector<LogPosition>> positions(std::string_view agent) = 0;

  /// Stores a batch in one transaction with its audit record. `events` is a JSON array that the
  /// hub has checked: every element is a well-formed event of `log`, sequence numbers rise.
  /// Idempotent by (agent, log, seq): what is there already is skipped, and the receipt is the
  /// same as if it had been new. An error means that nothing was stored; the agent sends again.
  virtual Result<Receipt> append_events(std::string_view agent, std::string_view log,
                                        const nlohmann::json& events) = 0;

  /// The audit log's head now (hex), and the epoch that commands carry.
  virtual std::string head() = 0;
  virtual std::uint64_t epoch() = 0;
};

/// Live state. Called on the hub's strand: must return at once (keep it in memory).
class FleetView {
 public:
  virtual ~FleetView() = default;
  virtual void agent_connected(std::string_view agent, const nlohmann::json& hello,
                               std::string_view address) = 0;
  virtual void agent_disconnected(std::string_view agent, std::string_view reason) = 0;
  /// The newest guard status, plus its "uplink" object; older ones may have been skipped.
  virtual void telemetry(std::string_view agent, const nlohmann::json& status) = 0;
  /// An answer to a stop or a command, in order; `update.final_answer` ends the operation there.
  virtual void command_update(const struct CommandUpdate& update) = 0;
  /// The agent's certificate has ended, and it waits for a person's approval to renew; or no more.
  virtual void renewal_waits(std::string_view agent, bool waits) = 0;
  /// Something that belongs in the audit log: a refused enrolment, a revoked agent that came, a
  /// malformed frame, two processes with one key. `agent` may be empty when it is not known.
  virtual void security_event(std::string_view agent, std::string_view kind,
                              std::string_view text) = 0;
};

/// One printer's answer to a stop or a command.
struct PrinterAnswer {
  std::string printer;
  std::string outcome;  ///< "proven" | "sent" | "not_sent"; empty when the command is no stop.
  std::string state;    ///< The guard's state of the printer; empty when unknown.
  std::string message;
};

/// Progress of one operation at one agent.
struct CommandUpdate {
  std::string operation;
  std::string agent;
  bool final_answer = false;
  /// Empty when the agent answered; else why there is no answer ("not connected", …), or why the
  /// agent refused. A refusal by the guard has refused = true.
  std::string error;
  bool refused = false;
  /// The command left, but no answer came: what it did is unknown.
  bool outcome_unknown = false;
  /// A stop's time has passed, and it is not offered to this agent any more.
  bool gave_up = false;
  std::vector<PrinterAnswer> printers;
  /// What a scan or a diagnosis found: an object, the agent's word; null for other commands.
  std::shared_ptr<const nlohmann::json> data;
};

}  // namespace firebreak::coordinator
