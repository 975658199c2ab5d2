#include "coordinator/api/api.h"

#include <sodium.h>

#include "common/base/escape.h"
#include "common/base/hex.h"
#include "common/log/log.h"
#include "coordinator/api/fields.h"
#include "coordinator/api/json_gate.h"
#include "coordinator/api/openapi.h"

namespace firebreak::coordinator {

using nlohmann::json;

namespace {

std::string new_trace_id() {
  std::array<std::uint8_t, 8> bytes{};
  randombytes_buf(bytes.data(), bytes.size());
  return to_hex(bytes);
}

Response text_response(std::string type, std::string body) {
  Response out;
  out.content_type = std::move(type);
  out.body = std::move(body);
  return out;
}

}  // namespace

std::string render(const Response& response, const std::string& method, bool keep_alive) {
  std::string out = "HTTP/1.1 " + std::to_string(response.status) + " " +
                    std::string(reason_phrase(response.status)) + "\r\n";
  out += "Content-Type: " + response.content_type + "\r\n";
  if (!response.stream) out += "Content-Length: " + std::to_string(response.body.size()) + "\r\n";
  out += "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n";
  for (const auto& [name, value] : response.headers) out += name + ": " + value + "\r\n";
  out += keep_alive && !response.stream ? "Connection: keep-alive\r\n" : "Connection: close\r\n";
  out += "\r\n";
  if (method != "HEAD") out += response.body;
  return out;
}

Api::Api(ApiParts parts)
    : parts_(std::move(parts)),
      guesses_(parts_.clock),
      requests_(parts_.clock),
      once_(parts_.clock),
      router_(table()) {}

std::vector<Route> Api::table() {
  const auto to = [this](Response (Api::*method)(const Request&)) {
    return [this, method](const Request& request) { return (this->*method)(request); };
  };
  const auto grant_of = [this](const char* kind) {
    return [this, kind](const Request& request) { return grant(request, kind); };
  };
  const auto fixed = [](const char* type, std::string body) {
    return [type, body = std::move(body)](const Request&) { return text_response(type, body); };
  };
  using A = Access;
  using S = Scope;
  const char* js = "application/json";
  const json version{
      {"product", "firebreak-coordinator"}, {"version", FIREBREAK_VERSION}, {"api", 1}};
  return {
      {"GET", "/healthz", A::open, S::view, fixed(js, "{\"status\":\"ok\"}\n")},
      {"GET", "/readyz", A::open, S::view, to(&Api::ready)},
      {"GET", "/version", A::open, S::view, fixed(js, version.dump() + "\n")},
      {"GET", "/metrics", A::scope, S::view, to(&Api::metrics)},
      {"GET", "/api/v1/openapi.json", A::open, S::view, fixed(js, std::string(openapi_text()))},
      {"GET", "/api/v1/fleet", A::scope, S::view, to(&Api::fleet)},
      {"GET", "/api/v1/printers", A::scope, S::view, to(&Api::printers)},
      {"GET", "/api/v1/printers/{name}", A::scope, S::view, to(&Api::printer)},
      {"POST", "/api/v1/printers/{name}/reset", A::person, S::reset, grant_of("reset")},
      {"POST", "/api/v1/printers/{name}/release", A::person, S::reset, grant_of("release")},
      {"GET", "/api/v1/agents", A::scope, S::view, to(&Api::agents)},
      {"POST", "/api/v1/agents/{name}/revoke", A::scope, S::admin, to(&Api::revoke_agent)},
      {"POST", "/api/v1/agents/{name}/approve", A::person, S::admin, to(&Api::approve_renewal)},
      {"POST", "/api/v1/stop", A::stop, S::stop, to(&Api::stop)},
      {"GET", "/api/v1/operations/{id}", A::operation, S::view, to(&Api::operation)},
      {"GET", "/api/v1/operations/{id}/events", A::operation, S::view, to(&Api::operation_events)},
      {"POST", "/api/v1/agents/{name}/scan", A::scope, S::operate, to(&Api::scan)},
      {"POST", "/api/v1/printers/{name}/diagnose", A::scope, S::operate, to(&Api::diagnose)},
      {"GET", "/api/v1/inquiries/{id}", A::scope, S::operate, to(&Api::inquiry)},
      {"GET", "/api/v1/events", A::scope, S::view, to(&Api::events)},
      {"GET", "/api/v1/events/stream", A::scope, S::view, to(&Api::event_stream)},
      {"GET", "/api/v1/enrollments", A::scope, S::admin, to(&Api::enrollments)},
      {"POST", "/api/v1/enrollments", A::scope, S::admin, to(&Api::enroll)},
      {"GET", "/api/v1/tokens", A::scope, S::admin, to(&Api::tokens)},
      {"POST", "/api/v1/tokens", A::scope, S::admin, to(&Api::create_token)},
      {"DELETE", "/api/v1/tokens/{id}", A::scope, S::admin, to(&Api::revoke_token)},
      {"GET", "/api/v1/audit/verify", A::scope, S::view, to(&Api::audit_verify)},
      {"GET", "/api/v1/audit/records", A::scope, S::admin, to(&Api::audit_records)},
  };
}

Answer Api::handle(ParsedRequest parsed, const std::string& peer_ip) {
  Exchange exchange;
  exchange.parsed = &parsed;
  Request& request = exchange.request;
  request.method = parsed.method;
  request.path = parsed.path;
  request.peer_ip = peer_ip;
  request.trace_id = new_trace_id();
  request.last_event_id = std::string(parsed.header("last-event-id"));
  request.idempotency_key = std::string(parsed.header("idempotency-key"));
  Response response;
  // The libraries behind may throw; nothing leaves this function but an answer.
  try {
    router_.find(exchange);
    response = respond(exchange);
  } catch (const std::exception& e) {
    log::error("api: {} {} (trace {}): {}", request.method, escape_untrusted(request.path),
               request.trace_id, e.what());
    response = problem(request, 500, "internal", "the coordinator made a mistake",
                       "look for the trace id in the coordinator's log");
  }
  ++served_;
  Answer answer;
  answer.delay = response.delay;
  answer.authenticated = !request.principal.token_id.empty();
  answer.close = response.stream != nullptr || !parsed.keep_alive;
  answer.bytes = render(response, parsed.method, parsed.keep_alive);
  if (parsed.method != "HEAD") answer.stream = std::move(response.stream);
  return answer;
}

Response Api::respond(Exchange& exchange) {
  Request& request = exchange.request;
  if (exchange.route == nullptr) {
    const std::string allowed = router_.allowed(request.path);
    if (allowed.empty())
      return problem(request, 404, "not_found", "there is no such path",
                     "see /api/v1/openapi.json for what there is");
    Response out = problem(request, 405, "method_not_allowed", "the path has other methods",
                           "use one of: " + allowed);
    out.headers.emplace_back("Allow", allowed);
    return out;
  }
  const Route& route = *exchange.route;
  if (auto refused = admit(request, route, exchange.parsed->header("authorization")))
    return std::move(*refused);
  if (exchange.doubled_query)
    return problem(request, 400, "bad_request", "a query parameter stands twice",
                   "send each parameter once");
  if (auto refused = read_body(request, exchange.parsed->body)) return std::move(*refused);
  if (request.method == "POST" && !request.idempotency_key.empty())
    return act_once(request, route, exchange.parsed->body);
  return route.handler(request);
}

Response Api::act_once(const Request& request, const Route& route, const std::string& body) {
  if (!IdempotencyBook::is_key(request.idempotency_key))
    return problem(request, 400, "bad_request",
                   "Idempotency-Key is not 1 to 128 visible ASCII characters",
                   "send a random one, such as a UUID, or none");
  const std::string asked = request.method + " " + request.path + "\n" + body;
  const IdempotencyBook::Key key{
      request.principal.token_id, request.idempotency_key,
      chain::sha256({reinterpret_cast<const std::uint8_t*>(asked.data()), asked.size()})};
  const std::chrono::seconds keep_for = route.access == Access::stop
                                            ? IdempotencyBook::stop_kept
                                            : std::chrono::seconds{IdempotencyBook::kept};
  Response answer;
  using Claim = IdempotencyBook::Claim;
  const Claim claim = once_.claim(key, keep_for, answer);
  if (claim == Claim::other)
    return problem(request, 422, "key_reused",
                   "this Idempotency-Key was used for another request; nothing was done",
                   "send a new key, or none: a stop without one always acts");
  if (claim == Claim::waiting)
    return problem(request, 409, "in_progress", "the same request is being answered now",
                   "ask again in a moment with the same key");
  if (claim == Claim::replay) {
    answer.headers.emplace_back("Idempotent-Replayed", "true");
    return answer;
  }
  try {
    answer = route.handler(request);
  } catch (...) {
    once_.drop(key);
    throw;
  }
  if (answer.status < 300)
    once_.keep(key, answer);
  else
    once_.drop(key);
  return answer;
}

std::optional<Response> Api::admit(Request& request, const Route& route,
                                   std::string_view authorization) {
  if (route.access == Access::open) return std::nullopt;
  const TokenVerdict verdict = parts_.tokens.judge(authorization);
  using Kind = TokenVerdict::Kind;
  const bool old_may = route.access == Access::stop || route.access == Access::operation;
  const bool passes = verdict.kind == Kind::valid || (verdict.kind == Kind::expired && old_may &&
                                                      verdict.principal.has(Scope::stop));
  if (!passes) return turn_away(request, verdict);
  request.principal = verdict.principal;
  if (route.access != Access::operation && !request.principal.has(route.scope))
    return problem(request, 403, "forbidden", "the token lacks the scope of this request",
                   "use a token with the scope " +
                       scope_names(static_cast<unsigned>(route.scope))[0].get<std::string>());
  if (route.access == Access::person && !request.principal.person)
    return problem(request, 403, "forbidden", "only a person's token may do this",
                   "a machine's token never resets; use your own");
  if (route.access != Access::stop && !requests_.allow(request.principal.token_id)) {
    Response out = problem(request, 429, "rate_limited", "this token asks too often",
                           "wait a second; stops are never limited");
    out.headers.emplace_back("Retry-After", "1");
    return out;
  }
  return std::nullopt;
}

Response Api::turn_away(const Request& request, const TokenVerdict& verdict) {
  using Kind = TokenVerdict::Kind;
  ++refused_;
  if (verdict.kind == Kind::none || verdict.kind == Kind::expired) {
    Response out =
        problem(request, 401, "unauthorized",
                verdict.kind == Kind::none ? "the request has no token" : "the token has expired",
                verdict.kind == Kind::none ? "send Authorization: Bearer fbt_…"
                                           : "make a new token; this one may still stop printers");
    out.headers.emplace_back("WWW-Authenticate", "Bearer");
    return out;
  }
  ++wrong_tokens_;
  const auto reaction = guesses_.on_wrong_token(request.peer_ip);
  if (reaction.record) {
    const bool revoked = verdict.kind == Kind::revoked;
    parts_.store.record({"unknown",
                         "auth.refuse",
                         revoked ? verdict.principal.token_id : "",
                         {{"source", request.peer_ip},
                          {"why", revoked ? "revoked" : "wrong"},
                          {"path", request.path},
                          {"unrecorded_before", reaction.suppressed}}},
                        {"security",
                         "warning",
                         "",
                         "",
                         "a wrong or revoked token came from " + request.peer_ip,
                         {{"unrecorded_before", reaction.suppressed}}});
    log::warning("api: a wrong or revoked token came from {}", request.peer_ip);
  }
  Response out =
      reaction.too_many
          ? problem(request, 429, "rate_limited", "too many wrong tokens from this address",
                    "wait; a right token is served at once")
          : problem(request, 401, "unauthorized", "the token is wrong or revoked",
                    "log in with a valid token");
  if (reaction.too_many) out.headers.emplace_back("Retry-After", "5");
  out.headers.emplace_back("WWW-Authenticate", "Bearer error=\"invalid_token\"");
  out.delay = reaction.delay;
  return out;
}

std::optional<Response> Api::read_body(Request& request, const std::string& body) {
  if (body.empty()) return std::nullopt;
  auto parsed = parse_json(body);
  if (!parsed)
    return problem(request, 400, "bad_json", "the body is not acceptable JSON",
                   "send plain JSON: at most 32 levels, 10000 values, no doubled keys",
                   {{parsed.error().pointer, parsed.error().detail}});
  request.body = std::move(*parsed);
  return std::nullopt;
}

std::string Api::refusal(const Refusal& refusal) {
  ++refused_;
  Request request;
  request.trace_id = new_trace_id();
  const bool busy = refusal.status == 503;
  Response out = problem(request, refusal.status, refusal.code, refusal.detail,
                         busy ? "try again in a second; stops have room of their own"
                              : "see docs/api.md for what a request must look like");
  if (busy) out.headers.emplace_back("Retry-After", "1");
  return render(out, "GET", false);
}

json scope_names(unsigned scopes) {
  json out = json::array();
  constexpr std::array<const char*, 5> names{"view", "stop", "operate", "reset", "admin"};
  for (std::size_t i = 0; i < names.size(); ++i)
    if ((scopes >> i & 1U) != 0) out.push_back(names[i]);
  return out;
}

}  // namespace firebreak::coordinator
