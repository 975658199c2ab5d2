#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

/// The messages of docs/protocol.md as values. Every `parse_` function takes what parse_cbor()
/// made and insists on each field's presence, type and range (bad_input: the session is closed,
/// nothing of the message is used); fields that it does not know are left alone, so that an old
/// peer keeps working with a newer one.
namespace firebreak::wire {

inline constexpr int protocol_version = 1;

/// Both sides' heartbeat. The coordinator beats, the agent's telemetry is its own; who hears
/// nothing for `beats_missed_max` of them takes the other for gone (reliability.md, row 2).
inline constexpr std::chrono::seconds beat_interval{5};
inline constexpr int beats_missed_max = 3;
inline constexpr std::chrono::milliseconds telemetry_interval{1000};

/// Time-to-live of a command: longest that an agent accepts. Bounds the nonces it remembers.
inline constexpr std::chrono::seconds ttl_max{60};

/// Events in one message; matches the guard's `events` verb.
inline constexpr std::size_t events_max = 500;
/// Bytes of CBOR at which a batch is closed, well below a frame.
inline constexpr std::size_t events_bytes_max = 256u << 10;
/// Logs that a hello lists: the present black box and those put aside before it.
inline constexpr std::size_t logs_max = 32;
/// Bytes of the PEM of all roots together: at most three are trusted at a time.
inline constexpr std::size_t roots_bytes_max = 16 * 1024;
/// Printers in one command or answer.
inline constexpr std::size_t printers_max = 256;

using Nonce = std::array<std::uint8_t, 16>;
using Secret = std::array<std::uint8_t, 32>;

/// [a-z0-9][a-z0-9-]{0,31}: printers and agents.
bool is_name(std::string_view text);
/// 16 lower-case hexadecimal digits: a black-box log.
bool is_log(std::string_view text);
/// 1 to 64 of [A-Za-z0-9_.-]: operations and commands.
bool is_id(std::string_view text);

/// The "t" of a message. Errors: bad_input.
Result<std::string> type_of(const nlohmann::json& message);

struct LogMark {
  std::string log;
  std::uint64_t last = 0;   ///< Newest event that the guard has.
  std::uint64_t acked = 0;  ///< Newest event for which the agent holds a receipt.
};

struct Hello {
  int version = protocol_version;
  std::string agent;
  std::string software;
  std::string boot;      ///< The guard's boot id; empty when the guard does not answer.
  std::string instance;  ///< Random for each start of the uplink: tells a clone from a redial.
  std::vector<LogMark> logs;
  std::string roots;  ///< SHA-256 of the roots that it trusts, as hex; empty: not told.
};

struct LogReceipt {
  std::string log;
  std::uint64_t stored = 0;
  std::uint64_t durable = 0;
};

struct Welcome {
  int version = protocol_version;
  std::uint64_t epoch = 0;
  std::int64_t wall_ms = 0;
  std::string head;
  std::vector<LogReceipt> receipts;
  std::string roots;  ///< PEM of the roots to trust from now on; empty: as before.
};

struct Telemetry {
  std::uint64_t seq = 0;
  Nonce nonce{};
  nlohmann::json status;  ///< An object; what is in it is the reader's to judge.
};

struct Events {
  std::string log;
  nlohmann::json events;  ///< Array of well-formed events of `log`, sequence numbers rising.
};

struct Receipt {
  LogReceipt position;
  std::uint64_t index = 0;
  std::string head;
};

struct Command {
  std::string id;
  std::uint64_t epoch = 0;
  Nonce nonce{};
  std::chrono::milliseconds ttl{0};
  std::string verb;
  nlohmann::json arguments = nlohmann::json::object();
};

struct PrinterResult {
  std::string printer;
  std::string outcome;
  std::string state;
  std::string message;
};

/// An agent's answer to a command; a stop has several, the last one final.
struct CommandResult {
  std::string id;
  bool final_answer = true;
  std::vector<PrinterResult> printers;
  std::string error;     ///< Empty: done, or going on.
  bool refused = false;  ///< The guard or the agent said no; nothing was done.
  nlohmann::json data;   ///< Null or an object: a challenge.
};

struct Enroll {
  int version = protocol_version;
  Secret secret{};
  std::string agent;
  std::string request_pem;
};

struct Enrolled {
  std::string certificate_pem;
  std::string authority_pem;
  std::array<std::uint8_t, 32> reset_public_key{};
};

struct Renew {
  std::string request_pem;
};
struct Renewed {
  std::string certificate_pem;
};

/// Last words before a side closes, so that the other can log why.
struct Bye {
  std::string code;  ///< One of docs/protocol.md, "Goodbye".
  std::string message;
};

nlohmann::json encode(const Hello& m);
nlohmann::json encode(const Welcome& m);
nlohmann::json encode(const Telemetry& m);
nlohmann::json encode(const Events& m);
nlohmann::json encode(const Receipt& m);
nlohmann::json encode(const Command& m);
nlohmann::json encode(const CommandResult& m);
nlohmann::json encode(const Enroll& m);
nlohmann::json encode(const Enrolled& m);
nlohmann::json encode(const Renew& m);
nlohmann::json encode(const Renewed& m);
nlohmann::json encode(const Bye& m);
nlohmann::json beat();
/// The coordinator wants this agent to renew: instead of a welcome when its certificate has ended
/// (then it may do nothing else), after it when the certificate is of an old root.
nlohmann::json renew_required();

Result<Hello> parse_hello(const nlohmann::json& m);
Result<Welcome> parse_welcome(const nlohmann::json& m);
Result<Telemetry> parse_telemetry(nlohmann::json m);
Result<Events> parse_events(nlohmann::json m);
Result<Receipt> parse_receipt(const nlohmann::json& m);
Result<Command> parse_command(const nlohmann::json& m);
Result<CommandResult> parse_result(const nlohmann::json& m);
Result<Enroll> parse_enroll(const nlohmann::json& m);
Result<Enrolled> parse_enrolled(const nlohmann::json& m);
Result<Renew> parse_renew(const nlohmann::json& m);
Result<Renewed> parse_renewed(const nlohmann::json& m);
Result<Bye> parse_bye(const nlohmann::json& m);

/// Checks one event of a black box (contract: log, seq, boot, mono_ms, wall, kind, severity,
/// printer, text, data, hash). Errors: bad_input, naming the field.
Result<void> check_event(const nlohmann::json& event, std::string_view log);

}  // namespace firebreak::wire
