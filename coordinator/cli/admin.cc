#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "coordinator/cli/api.h"
#include "coordinator/cli/json_access.h"
#include "coordinator/cli/remote.h"
#include "coordinator/cli/render.h"

#ifndef FIREBREAK_VERSION
#define FIREBREAK_VERSION "unknown"
#endif

namespace firebreak::cli {
namespace {

using nlohmann::json;

std::string dash(std::string text) { return text.empty() ? "-" : text; }

}  // namespace

Done make_enrolment(Context& context, const std::string& agent, int minutes) {
  auto api = Api::open(context);
  if (!api) return give_up(api.error());
  json body = {{"agent", agent}};
  if (minutes > 0) body["minutes"] = minutes;
  const auto made = api->post("/api/v1/enrollments", body);
  if (!made) return give_up(made.error());
  if (context.console.json()) {
    context.console.document(*made);
    return ExitStatus::done;
  }
  // The token alone is data, so that it can go straight into a file.
  context.console.data(text_of(*made, "token") + "\n");
  context.console.note(fmt::format("one use, for agent '{}', until {}. On its host:", agent,
                                   text_of(*made, "expires")));
  context.console.note(
      "  firebreak-uplink enroll --config /etc/firebreak/uplink.yaml --token-file FILE");
  return ExitStatus::done;
}

Done revoke_agent(Context& context, const std::string& agent) {
  auto api = Api::open(context);
  if (!api) return give_up(api.error());
  const auto done = api->post("/api/v1/agents/" + url_part(agent) + "/revoke", json::object());
  if (!done) return give_up(done.error());
  if (context.console.json()) context.console.document(*done);
  context.console.note("agent " + agent + " is cut off; its guard goes on protecting its printers");
  return ExitStatus::done;
}

Done approve_agent(Context& context, const std::string& agent) {
  auto api = Api::open(context);
  if (!api) return give_up(api.error());
  const auto done = api->post("/api/v1/agents/" + url_part(agent) + "/approve", json::object());
  if (!done) return give_up(done.error());
  if (context.console.json()) context.console.document(*done);
  context.console.note("agent " + agent +
                       " may renew its ended certificate; it asks again within " +
                       "a minute: firebreak agents");
  return ExitStatus::done;
}

Done verify_audit(Context& context) {
  auto api = Api::open(context);
  if (!api) return give_up(api.error());
  context.console.progress("verifying every record …");
  const auto result = api->get("/api/v1/audit/verify");
  if (!result) return give_up(result.error());
  const auto count = [&](const char* name) { return whole_of(*result, name).value_or(0); };
  const bool good = whole_of(*result, "invalid") == 0 && field(*result, "first_invalid").is_null();
  if (context.console.json()) {
    context.console.document(*result);
  } else {
    Table table;
    table.header = {"TOTAL", "VALID", "INVALID", "FIRST INVALID"};
    const auto first = whole_of(*result, "first_invalid");
    table.rows.push_back(
        {{std::to_string(count("total"))},
         {std::to_string(count("valid"))},
         {std::to_string(count("invalid")), good ? Tone::plain : Tone::alarm},
         {first ? std::to_string(*first) : "-", good ? Tone::plain : Tone::alarm}});
    context.console.table(table, "");
  }
  if (good) return ExitStatus::done;
  return give_up(ExitStatus::check_says_no,
                 "the audit log does not verify. " + text_of(*result, "detail"),
                 "keep the coordinator's state folder as it is, and compare it with a copy");
}

Done create_token(Context& context, const TokenOrder& order) {
  auto api = Api::open(context);
  if (!api) return give_up(api.error());
  json body = {{"name", order.name}, {"scopes", order.scopes}, {"kind", order.kind}};
  if (!order.expires.empty()) body["expires"] = order.expires;
  const auto made = api->post("/api/v1/tokens", body);
  if (!made) return give_up(made.error());
  if (context.console.json()) {
    context.console.document(*made);
    return ExitStatus::done;
  }
  context.console.data(text_of(*made, "token") + "\n");
  context.console.note("shown once. Its id, for revoking: " + text_of(*made, "id"));
  return ExitStatus::done;
}

Done list_tokens(Context& context) {
  auto api = Api::open(context);
  if (!api) return give_up(api.error());
  const auto answer = api->get("/api/v1/tokens");
  if (!answer) return give_up(answer.error());
  const auto& tokens = answer->is_array() ? *answer : list_of(*answer, "tokens");
  if (context.console.json()) {
    context.console.document(tokens);
    return ExitStatus::done;
  }
  Table table;
  table.header = {"ID", "NAME", "KIND", "SCOPES", "STATE", "CREATED", "EXPIRES"};
  for (const auto& token : tokens) {
    const auto state = text_of(token, "state");
    table.rows.push_back({{text_of(token, "id"), Tone::strong},
                          {text_of(token, "name")},
                          {text_of(token, "kind")},
                          {joined(list_of(token, "scopes"))},
                          {state, state == "valid" ? Tone::plain : Tone::dim},
                          {text_of(token, "created")},
                          {dash(text_of(token, "expires"))}});
  }
  context.console.table(table, "there are no tokens");
  return ExitStatus::done;
}

Done revoke_token(Context& context, const std::string& id) {
  auto api = Api::open(context);
  if (!api) return give_up(api.error());
  const auto done = api->remove("/api/v1/tokens/" + url_part(id));
  if (!done) return give_up(done.error());
  if (context.console.json()) context.console.document(*done);
  context.console.note("token " + id + " is revoked");
  return ExitStatus::done;
}

Done show_version(Context& context) {
  json versions = {{"firebreak", FIREBREAK_VERSION}, {"server", nullptr}, {"coordinator", nullptr}};
  // Silent where no coordinator is known: a version is asked for on printer hosts too.
  if (auto settings = load_settings(context)) {
    Api api(std::move(*settings));
    api.hurry();
    versions["server"] = api.server();
    if (const auto answer = api.get("/version"))
      versions["coordinator"] = field(*answer, "version");
  }
  if (context.console.json()) {
    context.console.document(versions);
    return ExitStatus::done;
  }
  context.console.row({{"firebreak"}, {FIREBREAK_VERSION}}, {12});
  if (versions["server"].is_string()) {
    const auto version = text_of(versions, "coordinator");
    context.console.row(
        {{"coordinator"}, {version.empty() ? "no answer" : version}, {text_of(versions, "server")}},
        {12, 10});
  }
  return ExitStatus::done;
}

}  // namespace firebreak::cli
