#include "common/wire/messages.h"

#include <algorithm>

#include "common/wire/fields.h"

namespace firebreak::wire {
namespace {

using nlohmann::json;

constexpr std::size_t pem_bytes_max = 16u << 10;
constexpr std::size_t text_bytes_max = 4096;

template <std::size_t size>
json bytes(const std::array<std::uint8_t, size>& value) {
  return json::binary(std::vector<std::uint8_t>(value.begin(), value.end()));
}

/// A parsed value, unless a field was wrong.
template <class T>
Result<T> finish(const Fields& fields, T value) {
  if (auto done = fields.done(); !done) return fail(done.error());
  return value;
}

bool is_lower_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

LogReceipt parse_position(const json& entry, Fields& outer) {
  Fields fields(entry, "receipt");
  LogReceipt position{fields.text("log", 16), fields.number("stored"), fields.number("durable")};
  fields.check("log", is_log(position.log), "is not a log id");
  fields.check("durable", position.durable <= position.stored, "is above 'stored'");
  outer.take(fields.done());
  return position;
}

json encode_position(const LogReceipt& position) {
  return {{"log", position.log}, {"stored", position.stored}, {"durable", position.durable}};
}

}  // namespace

bool is_name(std::string_view text) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !text.empty() && text.size() <= 32 && letter(text[0]) &&
         std::all_of(text.begin(), text.end(), [&](char c) { return letter(c) || c == '-'; });
}

bool is_log(std::string_view text) { return text.size() == 16 && is_lower_hex(text); }

bool is_id(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
}

Result<std::string> type_of(const json& message) {
  Fields fields(message, "message");
  std::string type = fields.text("t", 32, 1);
  return finish(fields, std::move(type));
}

json encode(const Hello& m) {
  json logs = json::array();
  for (const LogMark& mark : m.logs) {
    logs.push_back({{"log", mark.log}, {"last", mark.last}, {"acked", mark.acked}});
  }
  return {{"t", "hello"},   {"v", m.version},         {"agent", m.agent}, {"software", m.software},
          {"boot", m.boot}, {"instance", m.instance}, {"logs", logs},     {"roots", m.roots}};
}

Result<Hello> parse_hello(const json& m) {
  Fields fields(m, "hello");
  Hello hello;
  hello.version = static_cast<int>(fields.number("v", 1000));
  hello.agent = fields.text("agent", 32);
  hello.software = fields.text("software", 64);
  hello.boot = fields.text("boot", 64);
  hello.instance = fields.text("instance", 32);
  fields.check("agent", is_name(hello.agent), "is not an agent's name");
  fields.check("instance", hello.instance.size() == 32 && is_lower_hex(hello.instance),
               "is not 32 hexadecimal digits");
  hello.roots = fields.text_or_empty("roots", 64);
  if (const json* logs = fields.array("logs", logs_max)) {
    for (const json& entry : *logs) {
      Fields mark(entry, "hello.logs");
      hello.logs.push_back({mark.text("log", 16), mark.number("last"), mark.number("acked")});
      mark.check("log", is_log(hello.logs.back().log), "is not a log id");
      fields.take(mark.done());
    }
  }
  return finish(fields, std::move(hello));
}

json encode(const Welcome& m) {
  json receipts = json::array();
  for (const LogReceipt& position : m.receipts) receipts.push_back(encode_position(position));
  return {{"t", "welcome"}, {"v", m.version},       {"epoch", m.epoch}, {"wall_ms", m.wall_ms},
          {"head", m.head}, {"receipts", receipts}, {"roots", m.roots}};
}

Result<Welcome> parse_welcome(const json& m) {
  Fields fields(m, "welcome");
  Welcome welcome;
  welcome.version = static_cast<int>(fields.number("v", 1000));
  welcome.epoch = fields.number("epoch");
  welcome.wall_ms = static_cast<std::int64_t>(fields.number("wall_ms"));
  welcome.head = fields.text("head", 128);
  welcome.roots = fields.text_or_empty("roots", roots_bytes_max);
  // One position for each log that this agent ever had.
  if (const json* receipts = fields.array("receipts", 4096)) {
    for (const json& entry : *receipts) welcome.receipts.push_back(parse_position(entry, fields));
  }
  return finish(fields, std::move(welcome));
}

json encode(const Telemetry& m) {
  return {{"t", "telemetry"}, {"seq", m.seq}, {"nonce", bytes(m.nonce)}, {"status", m.status}};
}

Result<Telemetry> parse_telemetry(json m) {
  Fields fields(m, "telemetry");
  Telemetry telemetry;
  telemetry.seq = fields.number("seq");
  telemetry.nonce = fields.bytes<16>("nonce");
  fields.object("status");
  if (auto done = fields.done(); !done) return fail(done.error());
  telemetry.status = std::move(m["status"]);
  return telemetry;
}

json encode(const Events& m) { return {{"t", "events"}, {"log", m.log}, {"events", m.events}}; }

Result<Events> parse_events(json m) {
  Fields fields(m, "events");
  Events events{fields.text("log", 16), {}};
  fields.check("log", is_log(events.log), "is not a log id");
  const json* list = fields.array("events", events_max);
  if (list != nullptr) {
    fields.check("events", !list->empty(), "is empty");
    std::uint64_t last = 0;
    for (const json& event : *list) {
      auto checked = check_event(event, events.log);
      fields.take(checked);
      if (!checked) break;
      const auto seq = event["seq"].get<std::uint64_t>();
      fields.check("events", seq > last, "is not in the order of its sequence numbers");
      last = seq;
    }
  }
  if (auto done = fields.done(); !done) return fail(done.error());
  events.events = std::move(m["events"]);
  return events;
}

Result<void> check_event(const json& event, std::string_view log) {
  Fields fields(event, "event");
  fields.check("log", fields.text("log", 16) == log, "is not the log of its batch");
  fields.number("seq", std::numeric_limits<std::int64_t>::max(), 1);
  fields.text("boot", 64);
  fields.number("mono_ms");
  fields.text("kind", 32, 1);
  const std::string severity = fields.text("severity", 16);
  fields.check("severity", severity == "info" || severity == "warning" || severity == "alarm",
               "is none of info, warning, alarm");
  fields.text("text", text_bytes_max);
  const std::string hash = fields.text("hash", 64, 64);
  fields.check("hash", is_lower_hex(hash), "is not hexadecimal");
  if (auto done = fields.done(); !done) return done;
  if (!event.contains("wall") || !event["wall"].is_null()) fields.text("wall", 40);
  if (!event.contains("printer") || !event["printer"].is_null()) {
    fields.check("printer", is_name(fields.text("printer", 32)), "is not a printer's name");
  }
  fields.object("data");
  return fields.done();
}

json encode(const Receipt& m) {
  json out = encode_position(m.position);
  out.update({{"t", "receipt"}, {"index", m.index}, {"head", m.head}});
  return out;
}

Result<Receipt> parse_receipt(const json& m) {
  Fields fields(m, "receipt");
  Receipt receipt;
  receipt.position = parse_position(m, fields);
  receipt.index = fields.number("index");
  receipt.head = fields.text("head", 128);
  return finish(fields, std::move(receipt));
}

json encode(const Command& m) {
  return {
      {"t", "command"},          {"id", m.id},   {"epoch", m.epoch},   {"nonce", bytes(m.nonce)},
      {"ttl_ms", m.ttl.count()}, {"do", m.verb}, {"args", m.arguments}};
}

Result<Command> parse_command(const json& m) {
  Fields fields(m, "command");
  Command command;
  command.id = fields.text("id", 64);
  fields.check("id", is_id(command.id), "is not an id");
  command.epoch = fields.number("epoch");
  command.nonce = fields.bytes<16>("nonce");
  // A longer life than ttl_max is not malformed, it is refused where commands are judged.
  command.ttl = std::chrono::milliseconds{fields.number("ttl_ms", 1'000'000'000)};
  command.verb = fields.text("do", 32, 1);
  if (const json* arguments = fields.object("args")) command.arguments = *arguments;
  return finish(fields, std::move(command));
}

json encode(const CommandResult& m) {
  json printers = json::array();
  for (const PrinterResult& p : m.printers) {
    printers.push_back({{"printer", p.printer},
                        {"outcome", p.outcome},
                        {"state", p.state},
                        {"message", p.message}});
  }
  json out = {{"t", "result"}, {"id", m.id}, {"final", m.final_answer}, {"printers", printers}};
  if (!m.error.empty()) out["error"] = m.error;
  if (m.refused) out["refused"] = true;
  if (m.data.is_object()) out["data"] = m.data;
  return out;
}

Result<CommandResult> parse_result(const json& m) {
  Fields fields(m, "result");
  CommandResult result;
  result.id = fields.text("id", 64);
  fields.check("id", is_id(result.id), "is not an id");
  result.final_answer = fields.flag("final");
  result.error = fields.text_or_empty("error", text_bytes_max);
  result.refused = fields.flag("refused", false);
  if (m.is_object() && m.contains("data")) {
    if (const json* data = fields.object("data")) result.data = *data;
  }
  if (const json* printers = fields.array("printers", printers_max)) {
    for (const json& entry : *printers) {
      Fields part(entry, "result.printers");
      PrinterResult p{part.text("printer", 32), part.text("outcome", 16), part.text("state", 16),
                      part.text("message", text_bytes_max)};
      part.check("printer", is_name(p.printer), "is not a printer's name");
      part.check("outcome",
                 p.outcome.empty() || p.outcome == "none" || p.outcome == "proven" ||
                     p.outcome == "sent" || p.outcome == "not_sent",
                 "is no outcome");
      fields.take(part.done());
      result.printers.push_back(std::move(p));
    }
  }
  return finish(fields, std::move(result));
}

json encode(const Enroll& m) {
  return {{"t", "enroll"},
          {"v", m.version},
          {"token", bytes(m.secret)},
          {"agent", m.agent},
          {"csr_pem", m.request_pem}};
}

Result<Enroll> parse_enroll(const json& m) {
  Fields fields(m, "enroll");
  Enroll enroll;
  enroll.version = static_cast<int>(fields.number("v", 1000));
  enroll.secret = fields.bytes<32>("token");
  enroll.agent = fields.text("agent", 32);
  fields.check("agent", is_name(enroll.agent), "is not an agent's name");
  enroll.request_pem = fields.text("csr_pem", pem_bytes_max, 1);
  return finish(fields, std::move(enroll));
}

json encode(const Enrolled& m) {
  return {{"t", "enrolled"},
          {"cert_pem", m.certificate_pem},
          {"ca_pem", m.authority_pem},
          {"reset_public_key", bytes(m.reset_public_key)}};
}

Result<Enrolled> parse_enrolled(const json& m) {
  Fields fields(m, "enrolled");
  Enrolled enrolled{fields.text("cert_pem", pem_bytes_max, 1),
                    fields.text("ca_pem", pem_bytes_max, 1), fields.bytes<32>("reset_public_key")};
  return finish(fields, std::move(enrolled));
}

json encode(const Renew& m) { return {{"t", "renew"}, {"csr_pem", m.request_pem}}; }

Result<Renew> parse_renew(const json& m) {
  Fields fields(m, "renew");
  Renew renew{fields.text("csr_pem", pem_bytes_max, 1)};
  return finish(fields, std::move(renew));
}

json encode(const Renewed& m) { return {{"t", "renewed"}, {"cert_pem", m.certificate_pem}}; }

Result<Renewed> parse_renewed(const json& m) {
  Fields fields(m, "renewed");
  Renewed renewed{fields.text("cert_pem", pem_bytes_max, 1)};
  return finish(fields, std::move(renewed));
}

json encode(const Bye& m) { return {{"t", "bye"}, {"code", m.code}, {"message", m.message}}; }

Result<Bye> parse_bye(const json& m) {
  Fields fields(m, "bye");
  Bye bye{fields.text("code", 32, 1), fields.text("message", text_bytes_max)};
  return finish(fields, std::move(bye));
}

json beat() { return {{"t", "beat"}}; }
json renew_required() { return {{"t", "renew_required"}}; }

}  // namespace firebreak::wire
