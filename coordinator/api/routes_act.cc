#include <algorithm>
#include <array>
#include <future>

#include "common/base/escape.h"
#include "common/log/log.h"
#include "coordinator/api/api.h"
#include "coordinator/api/fields.h"
#include "coordinator/store/wall_text.h"

namespace firebreak::coordinator {

using nlohmann::json;

namespace {

/// How long an answer waits to be able to say that its record is on the disk. The stop itself has
/// left before.
constexpr std::chrono::milliseconds record_wait{150};

/// Causes that a signed grant may reset (safety.md, "Reset"); every other one, and every one that
/// is not known here, resets only at the machine. The guard decides the same again.
constexpr std::array<std::string_view, 8> mild_causes{"person",     "coordinator",  "firmware_halt",
                                                      "unattended", "host_restart", "service_stop",
                                                      "blind",      "shared_power"};

bool is_mild(const std::string& cause) {
  return std::find(mild_causes.begin(), mild_causes.end(), cause) != mild_causes.end();
}

bool is_target_name(const std::string& text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos) return is_name(text);
  return is_name(std::string_view(text).substr(0, colon)) &&
         is_name(std::string_view(text).substr(colon + 1));
}

/// Waits a moment for the record of something that has already happened.
class RecordWait {
 public:
  Store::Done done() {
    return [promise = promise_](const Result<void>& result) {
      promise->set_value(result.has_value());
    };
  }
  bool recorded() {
    return future_.wait_for(record_wait) == std::future_status::ready && future_.get();
  }

 private:
  std::shared_ptr<std::promise<bool>> promise_ = std::make_shared<std::promise<bool>>();
  std::future<bool> future_ = promise_->get_future();
};

Response started(const StartedOperation& operation, bool recorded, const json& warning) {
  json targets = json::array();
  for (const PrinterKey& key : operation.targets)
    targets.push_back({{"printer", key.name}, {"agent", key.agent}});
  Response out = json_response(202, {{"operation", operation.id},
                                     {"targets", std::move(targets)},
                                     {"unknown", operation.unknown},
                                     {"recorded", recorded},
                                     {"warning", warning}});
  out.headers.emplace_back("Location", "/api/v1/operations/" + operation.id);
  return out;
}

/// Reads the body of a stop; what is wrong lands in `fields`.
StopSelection read_selection(Fields& fields) {
  StopSelection out;
  const auto printers = fields.texts("printers", 1000);
  const auto agent = fields.agent_name("agent");
  const auto all = fields.boolean("all");
  const int given = fields.has("printers") + fields.has("agent") + fields.has("all");
  if (given != 1) fields.wrong("", "exactly one of printers, agent, all must be there");
  if (all && !*all) fields.wrong("/all", "must be true");
  for (std::size_t i = 0; printers && i < printers->size(); ++i)
    if (!is_target_name((*printers)[i]))
      fields.wrong("/printers/" + std::to_string(i), "is not a printer's name");
  out.printers = printers.value_or(std::vector<std::string>{});
  out.agent = agent.value_or("");
  out.all = all.value_or(false);
  return out;
}

}  // namespace

Response Api::stop(const Request& request) {
  Fields fields(request.body);
  const StopSelection selection = read_selection(fields);
  const auto reason = fields.text("reason", 0, 500);
  if (auto wrong = fields.problems(); !wrong.empty())
    return field_problem(request, std::move(wrong));
  RecordWait wait;
  const Requester requester{request.principal.who(), request.principal.token_id,
                            escape_untrusted(reason.value_or(""), 500)};
  const StartedOperation operation =
      parts_.operations.start_stop(selection, requester, wait.done());
  if (operation.id.empty())
    return problem(request, 404, "not_found", "nothing of these names is known here",
                   "list printers with GET /api/v1/printers; for a machine in trouble: pull the "
                   "power");
  ++stops_;
  const bool recorded = wait.recorded();
  json warning;
  if (operation.targets.empty()) warning = "no printer is known here; nothing may have stopped";
  if (!recorded)
    warning = "the stop went out; its record is not on the disk yet and follows when it can";
  return started(operation, recorded, warning);
}

Response Api::grant(const Request& request, const std::string& kind) {
  const json none = json::object();
  const bool is_reset = kind == "reset";
  Fields fields(request.body.is_null() ? none : request.body);
  const auto number = is_reset ? fields.integer("latch_number", 0, 0xffffffffLL) : std::nullopt;
  const auto reason = fields.text("reason", is_reset ? 1 : 0, 500);
  if (is_reset) {
    fields.require("latch_number");
    fields.require("reason");
  }
  if (auto wrong = fields.problems(); !wrong.empty())
    return field_problem(request, std::move(wrong));
  const auto found = parts_.fleet.find(request.arguments.at(0));
  if (found.empty())
    return problem(request, 404, "not_found", "no agent has shown a printer of this name",
                   "list them with GET /api/v1/printers");
  if (found.size() > 1)
    return problem(request, 409, "ambiguous", "several agents have a printer of this name",
                   "write agent:name");
  const json printer = parts_.fleet.printer_json(found.front());
  if (printer["state"] == "unknown")
    return problem(request, 503, "agent_offline",
                   "the printer's agent does not report; its state is unknown",
                   "reset at the machine with `firebreak local reset`, or wait for the agent");
  const json& shown = printer["latch_number"];
  if (is_reset && shown != *number)
    return problem(request, 409, "stale_latch",
                   "the latch is not number " + std::to_string(*number) + " any more",
                   "look again at what happened: GET /api/v1/printers/" + found.front().name);
  for (const json& cause : printer["causes"])
    if (is_reset && !is_mild(cause))
      return problem(request, 409, "interlock",
                     "the cause `" + cause.get<std::string>() + "` resets only at the machine",
                     "go to the printer, make it safe, and use `firebreak local reset`");
  if (!shown.is_number_unsigned() && !shown.is_number_integer())
    return problem(request, 503, "agent_offline", "the agent did not tell a latch number",
                   "use `firebreak local` at the machine");
  RecordWait wait;
  StartedOperation operation;
  operation.targets = found;
  operation.id = parts_.operations.start_grant(kind, found.front(), shown.get<std::uint64_t>(),
                                               {request.principal.who(), request.principal.token_id,
                                                escape_untrusted(reason.value_or(""), 500)},
                                               wait.done());
  return started(operation, wait.recorded(), {});
}

namespace {

/// A token sees an operation with Scope::view, or because it started it.
bool may_see(const Request& request, const std::string& starter) {
  if (!request.principal.expired && request.principal.has(Scope::view)) return true;
  return !starter.empty() && starter == request.principal.token_id;
}

Response no_operation(const Request& request) {
  return problem(request, 404, "not_found", "there is no such operation, or not for this token",
                 "use the id that the 202 answer gave, with the same token or one that may view");
}

bool is_operation_id(const std::string& text) {
  return text.size() == 16 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

}  // namespace

Response Api::operation(const Request& request) {
  const std::string& id = request.arguments.at(0);
  if (!is_operation_id(id) || !may_see(request, parts_.operations.starter(id)))
    return no_operation(request);
  const json found = parts_.operations.view(id);
  return found.is_null() ? no_operation(request) : json_response(200, found);
}

Response Api::operation_events(const Request& request) {
  const std::string& id = request.arguments.at(0);
  if (!is_operation_id(id) || !may_see(request, parts_.operations.starter(id)))
    return no_operation(request);
  std::size_t after = 0;
  if (!request.last_event_id.empty()) {
    const auto resume = parse_integer(request.last_event_id);
    if (!resume) return field_problem(request, {{"?Last-Event-ID", "must be a whole number"}});
    after = static_cast<std::size_t>(*resume);
  }
  auto stream = parts_.operations.stream(id, after);
  if (stream == nullptr) return no_operation(request);
  Response out;
  out.content_type = "text/event-stream";
  out.stream = std::move(stream);
  return out;
}

Response Api::approve_renewal(const Request& request) {
  const std::string& name = request.arguments.at(0);
  if (!is_name(name) || !parts_.fleet.knows_agent(name))
    return problem(request, 404, "not_found", "there is no such agent",
                   "list them with GET /api/v1/agents");
  if (!parts_.approve_renewal || !parts_.approve_renewal(name))
    return problem(request, 409, "conflict", "this agent does not wait for an approval",
                   "look at renewal_waits in GET /api/v1/agents");
  const std::string text =
      request.principal.who() + " let agent " + name + " renew its ended certificate";
  log::warning("{}", text);
  parts_.store.record({request.principal.who(), "agent.approve", name, json::object()},
                      {"agent.approve", "warning", name, "", text, json::object()});
  return json_response(200, {{"agent", name}, {"minutes", approval_life.count()}});
}

Response Api::revoke_agent(const Request& request) {
  const std::string& name = request.arguments.at(0);
  auto at = parts_.store.revoke_agent(name, request.principal.who());
  if (!at) return store_problem(request, at.error(), parts_.store.health());
  parts_.fleet.revoke(name, *at);
  const bool closed = parts_.cut_off && parts_.cut_off(name);
  return json_response(200,
                       {{"agent", name}, {"revoked", wall_text(*at)}, {"session_closed", closed}});
}

}  // namespace firebreak::coordinator
