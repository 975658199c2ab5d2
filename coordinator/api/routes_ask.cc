// Questions that agents answer: scans and diagnoses.

#include "common/log/log.h"
#include "coordinator/api/api.h"
#include "coordinator/api/fields.h"

namespace firebreak::coordinator {

using nlohmann::json;

Response Api::ask(const Request& request, const std::string& agent, const std::string& verb,
                  json arguments) {
  if (!parts_.fleet.connected(agent))
    return problem(request, 503, "agent_offline", "the agent " + agent + " is not connected",
                   "look at its host: is it on, does it reach the network, and then: systemctl "
                   "status firebreak-uplink");
  const auto id = parts_.inquiries.start(agent, verb, arguments);
  if (!id) return problem(request, 503, "busy", id.error().message, "try again in a minute");
  log::info("{} of {} asked by {}", verb, agent, request.principal.who());
  parts_.store.record({request.principal.who(), verb, agent, arguments},
                      {verb, "info", agent, "", request.principal.who() + " asked for a " + verb,
                       std::move(arguments)});
  Response out = json_response(202, {{"inquiry", *id}, {"agent", agent}});
  out.headers.emplace_back("Location", "/api/v1/inquiries/" + *id);
  return out;
}

Response Api::scan(const Request& request) {
  const std::string& agent = request.arguments.at(0);
  const json none = json::object();
  Fields fields(request.body.is_null() ? none : request.body);
  const auto host = fields.text("host", 1, 260);
  const auto range = fields.text("range", 1, 32);
  if (auto wrong = fields.problems(); !wrong.empty())
    return field_problem(request, std::move(wrong));
  if (!is_name(agent) || !parts_.fleet.knows_agent(agent))
    return problem(request, 404, "not_found", "there is no such agent",
                   "list them with GET /api/v1/agents");
  json arguments = json::object();
  if (host) arguments["host"] = *host;
  if (range) arguments["range"] = *range;
  return ask(request, agent, "scan", std::move(arguments));
}

Response Api::diagnose(const Request& request) {
  const json none = json::object();
  Fields fields(request.body.is_null() ? none : request.body);
  const auto fix = fields.boolean("fix");
  if (auto wrong = fields.problems(); !wrong.empty())
    return field_problem(request, std::move(wrong));
  const auto found = parts_.fleet.find(request.arguments.at(0));
  if (found.empty())
    return problem(request, 404, "not_found", "no agent has shown a printer of this name",
                   "list them with GET /api/v1/printers");
  if (found.size() > 1)
    return problem(request, 409, "ambiguous", "several agents have a printer of this name",
                   "write agent:name");
  return ask(request, found.front().agent, "diagnose",
             {{"printer", found.front().name}, {"fix", fix.value_or(false)}});
}

Response Api::inquiry(const Request& request) {
  const json found = parts_.inquiries.view(request.arguments.at(0));
  if (found.is_null())
    return problem(request, 404, "not_found", "there is no such question (any more)", "ask again");
  return json_response(200, found);
}

}  // namespace firebreak::coordinator
