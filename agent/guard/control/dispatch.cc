#include "agent/guard/control/dispatch.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <exception>

#include "agent/guard/control/json_gate.h"
#include "common/base/json_nesting.h"

namespace firebreak::guard {
namespace {

using nlohmann::json;

constexpr std::chrono::milliseconds events_look_again{250};
// A request's lists and texts, in elements and bytes. A farm on one host has a handful of printers.
constexpr std::size_t names_max = 256;
constexpr std::size_t name_bytes_max = 32;
constexpr std::size_t reason_bytes_max = 500;
constexpr int watch_hours_max = 7 * 24;

// What a caller must be to use a verb.
enum class Right { read, operate, reset, uplink };
struct VerbRight {
  std::string_view verb;
  Right right;
  bool on_uplink;  ///< Also offered on the uplink's socket.
};
constexpr std::array verb_rights{
    VerbRight{"status", Right::read, true},
    VerbRight{"stop", Right::operate, true},
    VerbRight{"events", Right::read, true},
    VerbRight{"restart", Right::operate, false},
    VerbRight{"silence", Right::operate, false},
    VerbRight{"commission", Right::operate, false},  // Its heating steps: see missing_right.
    VerbRight{"models", Right::read, false},
    VerbRight{"forget_restarts", Right::operate, false},
    // Whatever leads towards heat is for the people of the reset group.
    VerbRight{"reset", Right::reset, false},
    VerbRight{"release", Right::reset, false},
    VerbRight{"confirm", Right::reset, false},
    VerbRight{"arm", Right::reset, false},
    VerbRight{"watch", Right::reset, false},
    VerbRight{"unpark", Right::reset, false},
    VerbRight{"approve_model", Right::reset, false},
    VerbRight{"serve", Right::uplink, true},
    VerbRight{"durable", Right::uplink, true},
    VerbRight{"challenge", Right::uplink, true},
    VerbRight{"grant", Right::uplink, true},
    VerbRight{"event", Right::uplink, true},
};

std::string dump(const json& value) {
  // Text of a printer may be any bytes; a replacement character is better than an exception.
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

json with_id(const Request& request, json answer) {
  if (request.body.is_object() && request.body.contains("id")) answer["id"] = request.body["id"];
  return answer;
}

void answer_ok(Request& request, json fields = json::object()) {
  fields["ok"] = true;
  request.answer = dump(with_id(request, std::move(fields)));
  request.done = true;
}

void answer_problem(Request& request, std::string_view code, std::string_view message) {
  request.answer = dump(with_id(request, {{"ok", false}, {"code", code}, {"message", message}}));
  request.done = true;
}

std::string_view code_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::bad_input: return "bad_request";
    case ErrorCode::not_found: return "not_found";
    case ErrorCode::not_allowed: return "not_allowed";
    case ErrorCode::refused: return "refused";
    case ErrorCode::unavailable: return "busy";
    case ErrorCode::corrupt:
    case ErrorCode::internal: break;
  }
  return "failed";
}

void answer_error(Request& request, const Error& error) {
  answer_problem(request, code_of(error.code), error.message);
}

void answer_result(Request& request, const Result<void>& result) {
  if (result) return answer_ok(request);
  answer_error(request, result.error());
}

void answer_json(Request& request, Result<json> result) {
  if (!result) return answer_error(request, result.error());
  if (!result->is_object()) *result = json{{"result", std::move(*result)}};
  answer_ok(request, std::move(*result));
}

// Reads fields of a request by type and bound; the first wrong one is kept as the answer.
class Fields {
 public:
  explicit Fields(const json& body) : body_(body) {}

  [[nodiscard]] bool has(const char* name) const {
    const auto found = body_.find(name);
    return found != body_.end() && !found->is_null();
  }
  std::string text(const char* name, std::size_t bytes_max, bool required = true) {
    if (!has(name)) {
      if (required) complain(name, "is missing");
      return {};
    }
    const json& value = body_[name];
    if (!value.is_string()) return complain(name, "must be a string"), std::string{};
    auto text = value.get<std::string>();
    if (text.size() > bytes_max || (required && text.empty())) {
      complain(name, "must have 1 to " + std::to_string(bytes_max) + " bytes");
    }
    return text;
  }
  std::uint64_t number(const char* name, std::uint64_t least, std::uint64_t most) {
    if (!has(name)) return complain(name, "is missing"), least;
    const json& value = body_[name];
    // is_number_unsigned is also false for -1 and for 2.0: neither is a whole count.
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() < least ||
        value.get<std::uint64_t>() > most) {
      complain(name, "must be a whole number from " + std::to_string(least) + " to " +
                         std::to_string(most));
      return least;
    }
    return value.get<std::uint64_t>();
  }
  bool flag(const char* name) {
    if (!has(name)) return false;
    if (!body_[name].is_boolean()) return complain(name, "must be true or false"), false;
    return body_[name].get<bool>();
  }
  std::string hex(const char* name, std::size_t digits) {
    auto text = this->text(name, digits);
    const bool good =
        text.size() == digits && text.find_first_not_of("0123456789abcdef") == std::string::npos;
    if (!good) complain(name, "must be " + std::to_string(digits) + " lower-case hex digits");
    return text;
  }
  void complain(const char* name, const std::string& what) {
    if (problem_.empty()) problem_ = std::string("field '") + name + "' " + what;
  }
  [[nodiscard]] const std::string& problem() const { return problem_; }

 private:
  const json& body_;
  std::string problem_;
};

void perform_stop(Request& request, GuardService& service, const Peer& peer, std::uint64_t& stops) {
  // Lenient on purpose: the only request that is refused is one that names nothing to stop.
  Fields fields(request.body);
  StopRequest stop;
  stop.all = fields.flag("all");
  if (fields.has("printers")) {
    const json& names = request.body["printers"];
    if (!names.is_array() || names.size() > names_max) {
      fields.complain("printers", "must be a list of at most 256 printer names");
    } else {
      for (const auto& name : names) {
        if (!name.is_string())
          fields.complain("printers", "must hold strings");
        else
          stop.printers.push_back(name.get<std::string>());
      }
    }
  }
  // A broken list beside a clear "all" still stops everything.
  if (!stop.all && !fields.problem().empty()) {
    return answer_problem(request, "bad_request", fields.problem());
  }
  if (!stop.all && stop.printers.empty()) {
    return answer_problem(request, "bad_request",
                          "a stop names its printers or has \"all\":true; nothing was stopped");
  }
  if (fields.has("who") && request.body["who"].is_string()) {
    stop.who = request.body["who"].get<std::string>().substr(0, reason_bytes_max);
  }
  if (stop.who.empty()) stop.who = peer.name;
  stop.by_coordinator = peer.uplink && request.body.value("cause", json("coordinator")) != "person";
  const auto result = service.stop(stop, peer);
  if (!result) return answer_error(request, result.error());
  answer_ok(request, {{"pass", ++stops}});
}

void perform_serve(Request& request, GuardService& service) {
  Fields fields(request.body);
  const auto printer = fields.text("printer", name_bytes_max);
  const auto kind = fields.text("kind", name_bytes_max);
  if (!fields.problem().empty()) return answer_problem(request, "bad_request", fields.problem());
  const auto result = service.may_serve(printer, kind);
  answer_result(request, result);
  if (result) request.serves = printer;
}

void perform_reset(Request& request, GuardService& service, const Peer& peer) {
  Fields fields(request.body);
  ResetRequest reset;
  reset.printer = fields.text("printer", name_bytes_max, false);
  reset.all = fields.flag("all");
  reset.host = fields.flag("host");
  if ((reset.printer.empty() ? 0 : 1) + (reset.all ? 1 : 0) + (reset.host ? 1 : 0) != 1) {
    fields.complain("printer", "or \"all\":true or \"host\":true: exactly one is needed");
  }
  // Every printer has its own latch number, so `all` cannot name one.
  if (!reset.all || fields.has("latch_number")) {
    reset.latch_number = static_cast<std::uint32_t>(fields.number("latch_number", 0, 0xFFFFFFFF));
  }
  reset.reason = fields.text("reason", reason_bytes_max, false);
  if (fields.has("measured_celsius")) {
    const json& value = request.body["measured_celsius"];
    const double celsius = value.is_number() ? value.get<double>() : NAN;
    if (!(celsius > -100 && celsius < 1000)) {
      fields.complain("measured_celsius", "must be a temperature in degrees Celsius");
    } else {
      reset.measured_celsius = celsius;
    }
  }
  if (!fields.problem().empty()) return answer_problem(request, "bad_request", fields.problem());
  answer_result(request, service.reset(reset, peer));
}

void perform_on_printer(Request& request, GuardService& service, const Peer& peer) {
  Fields fields(request.body);
  const auto printer = fields.text("printer", name_bytes_max);
  const bool watch = request.verb == "watch";
  const auto hours = watch ? fields.number("hours", 1, watch_hours_max) : 0;
  const auto step = request.verb == "commission" ? fields.text("step", 64, false) : std::string{};
  if (!fields.problem().empty()) return answer_problem(request, "bad_request", fields.problem());
  if (watch) {
    answer_result(request, service.watch(printer, static_cast<int>(hours), peer));
  } else if (request.verb == "release") {
    answer_result(request, service.release(printer, peer));
  } else if (request.verb == "confirm") {
    answer_result(request, service.confirm(printer, peer));
  } else if (request.verb == "arm") {
    answer_result(request, service.arm(printer, peer));
  } else if (request.verb == "challenge") {
    answer_json(request, service.challenge(printer, peer));
  } else {
    answer_json(request, service.commission(printer, step, peer));
  }
}

void perform_models(Request& request, GuardService& service, const Peer& peer) {
  Fields fields(request.body);
  const bool approve = request.verb == "approve_model";
  const auto printer = fields.text("printer", name_bytes_max, approve);
  const auto heater = fields.text("heater", name_bytes_max, false);
  if (!fields.problem().empty()) return answer_problem(request, "bad_request", fields.problem());
  if (approve) return answer_result(request, service.approve_model(printer, heater, peer));
  answer_json(request, service.models(printer));
}

// Cuts the list at its end until the answer fits into a line; the caller asks again from there.
void shrink_events(json& result) {
  auto found = result.find("events");
  if (found == result.end() || !found->is_array()) return;
  constexpr std::size_t frame_bytes = 4096;  // ok, log, logs, id
  std::size_t bytes = 0;
  std::size_t keep = 0;
  for (const auto& event : *found) {
    bytes += dump(event).size() + 1;
    if (keep > 0 && bytes + frame_bytes > control_line_bytes_max) break;
    ++keep;
  }
  found->erase(found->begin() + static_cast<std::ptrdiff_t>(keep), found->end());
}

// A bare list of events in the socket's shape: which log they are of, and how far it goes.
json in_its_log(json list, GuardService& service) {
  const json status = service.status();
  const json store = status.value("store", json::object());
  const json log = store.value("log", json());
  json logs = json::array();
  if (log.is_string()) logs.push_back({{"log", log}, {"last_seq", store.value("last_seq", 0)}});
  return {{"log", log}, {"logs", std::move(logs)}, {"events", std::move(list)}};
}

bool holds_no_event(const json& result) {
  if (result.is_array()) return result.empty();
  return !result.is_object() || !result.contains("events") || result["events"].empty();
}

void perform_events(Request& request, GuardService& service, MonotonicTime now, bool may_wait) {
  Fields fields(request.body);
  const auto log = fields.text("log", 16, false);
  const auto after = fields.has("after") ? fields.number("after", 0, INT64_MAX) : 0;
  const auto limit = fields.has("limit") ? fields.number("limit", 1, events_limit_max) : 100;
  const auto wait =
      fields.has("wait_ms")
          ? fields.number("wait_ms", 0, static_cast<std::uint64_t>(events_wait_max.count()))
          : 0;
  if (!fields.problem().empty()) return answer_problem(request, "bad_request", fields.problem());
  auto result = service.events(log, after, static_cast<int>(limit));
  if (!result) return answer_error(request, result.error());
  if (holds_no_event(*result) && wait > 0 && may_wait) {
    if (!request.waiting) request.wait_until = now + std::chrono::milliseconds(wait);
    request.waiting = true;
    request.next_look = std::min(now + events_look_again, request.wait_until);
    if (now < request.wait_until) return;
  }
  if (result->is_array()) *result = in_its_log(std::move(*result), service);
  shrink_events(*result);
  answer_json(request, std::move(result));
}

void perform_grant(Request& request, GuardService& service, const Peer& peer) {
  Fields fields(request.body);
  GrantAnswer grant;
  grant.printer = fields.text("printer", name_bytes_max);
  grant.action = fields.text("action", 16);
  if (grant.action != "reset" && grant.action != "release" && grant.action != "reset_release") {
    fields.complain("action", "must be reset, release or reset_release");
  }
  grant.challenge_hex = fields.hex("challenge", 64);
  grant.signature_hex = fields.hex("signature", 128);
  grant.who = fields.text("who", reason_bytes_max, false);
  if (!fields.problem().empty()) return answer_problem(request, "bad_request", fields.problem());
  answer_result(request, service.grant(grant, peer));
}

void perform_event(Request& request, GuardService& service, const Peer& peer) {
  Fields fields(request.body);
  fields.text("kind", 32);
  const auto severity = fields.text("severity", 16);
  if (severity != "info" && severity != "warning" && severity != "alarm") {
    fields.complain("severity", "must be info, warning or alarm");
  }
  fields.text("printer", name_bytes_max, false);
  fields.text("text", 1000);
  if (fields.has("data") && !request.body["data"].is_object()) {
    fields.complain("data", "must be an object");
  }
  if (!fields.problem().empty()) return answer_problem(request, "bad_request", fields.problem());
  json event = json::object();
  for (const char* name : {"kind", "severity", "printer", "text", "data"}) {
    if (fields.has(name)) event[name] = request.body[name];
  }
  answer_result(request, service.add_event(event, peer));
}

void perform_durable(Request& request, GuardService& service) {
  Fields fields(request.body);
  const auto log = fields.hex("log", 16);
  const auto sequence = fields.number("seq", 0, INT64_MAX);
  if (!fields.problem().empty()) return answer_problem(request, "bad_request", fields.problem());
  answer_result(request, service.mark_durable(log, sequence));
}

// The checks of commissioning are for everybody; what begins or prolongs heat is not.
Right right_for(const VerbRight& verb, const Request& request) {
  if (verb.verb != "commission" || !request.body.is_object()) return verb.right;
  const auto step = request.body.value("step", json());
  return step == "begin" || step == "confirm" ? Right::reset : verb.right;
}

// Empty when `peer` may use the verb, else the sentence that says what is missing.
std::string missing_right(const VerbRight& verb, const Request& request, const Peer& peer) {
  if (peer.uplink) {
    return verb.on_uplink ? "" : "the uplink may never ask for this; use control.sock";
  }
  switch (right_for(verb, request)) {
    case Right::read:
    case Right::operate:
      return peer.operate ? "" : peer.name + " is not in the guard's operator group";
    case Right::reset:
      return peer.may_reset ? ""
                            : peer.name +
                                  " is not in the guard's reset group (guard.yaml: "
                                  "users.reset_group); ask one of its members";
    case Right::uplink: return "only the uplink may ask for this, on uplink.sock";
  }
  return "unknown right";
}

void route(Request& request, GuardService& service, const Peer& peer, MonotonicTime now,
           bool may_wait, std::uint64_t& stops) {
  if (!request.problem.empty()) return answer_problem(request, "bad_request", request.problem);
  const auto* verb = std::find_if(verb_rights.begin(), verb_rights.end(),
                                  [&](const VerbRight& row) { return row.verb == request.verb; });
  if (verb == verb_rights.end()) {
    return answer_problem(request, "bad_request",
                          "field 'do': unknown verb '" + request.verb.substr(0, name_bytes_max) +
                              "'; this guard knows status, stop, reset, release, events and the "
                              "others of docs/cli.md");
  }
  if (const auto missing = missing_right(*verb, request, peer); !missing.empty()) {
    return answer_problem(request, "not_allowed", missing);
  }
  const std::string& name = request.verb;
  if (name == "stop") return perform_stop(request, service, peer, stops);
  if (name == "status") return answer_json(request, service.status());
  if (name == "reset") return perform_reset(request, service, peer);
  if (name == "events") return perform_events(request, service, now, may_wait);
  if (name == "restart") return answer_result(request, service.restart(peer));
  if (name == "silence") return answer_result(request, service.silence(peer));
  if (name == "unpark") return answer_result(request, service.unpark(peer));
  if (name == "forget_restarts") return answer_result(request, service.forget_restarts(peer));
  if (name == "serve") return perform_serve(request, service);
  if (name == "durable") return perform_durable(request, service);
  if (name == "grant") return perform_grant(request, service, peer);
  if (name == "event") return perform_event(request, service, peer);
  if (name == "models" || name == "approve_model") return perform_models(request, service, peer);
  perform_on_printer(request, service, peer);
}

}  // namespace

Request parse_request(std::string_view line) {
  Request request;
  if (!nesting_within(line, control_depth_max)) {
    request.problem = "nested deeper than " + std::to_string(control_depth_max) + " levels";
    return request;
  }
  request.body = json::parse(line, nullptr, false);
  if (!request.body.is_object()) {
    request.problem = request.body.is_discarded() ? "not valid JSON; send one object a line"
                                                  : "not a JSON object; send one object a line";
    request.body = nullptr;
    return request;
  }
  const auto id = request.body.find("id");
  if (id != request.body.end() &&
      !(id->is_number() || id->is_null() ||
        (id->is_string() && id->get_ref<const std::string&>().size() <= 64))) {
    request.body.erase(id);  // Not worth refusing a stop for; the answer simply carries none.
  }
  const auto verb = request.body.find("do");
  if (verb == request.body.end() || !verb->is_string()) {
    request.problem = "field 'do' must be a string with the verb";
    return request;
  }
  request.verb = verb->get<std::string>();
  return request;
}

std::string problem_answer(std::string_view code, std::string_view message) {
  return dump({{"ok", false}, {"code", code}, {"message", message}});
}

void perform(Request& request, GuardService& service, const Peer& peer, MonotonicTime now,
             bool may_wait, std::uint64_t& stops) noexcept {
  // The last wall before the thread: a mistake of ours is an answer, never the end of the guard.
  try {
    try {
      route(request, service, peer, now, may_wait, stops);
    } catch (const std::exception& error) {
      answer_problem(request, "failed",
                     std::string("internal mistake (") + error.what() +
                         "); the printers stay protected; see the guard's log");
    }
  } catch (...) {
    request.answer = R"({"ok":false,"code":"failed","message":"out of memory; try again"})";
    request.done = true;
  }
}

}  // namespace firebreak::guard
