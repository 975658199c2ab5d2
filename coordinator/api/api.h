#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "coordinator/api/http.h"
#include "coordinator/api/idempotency.h"
#include "coordinator/api/router.h"
#include "coordinator/api/token_book.h"
#include "coordinator/fleet/fleet_state.h"
#include "coordinator/fleet/inquiries.h"
#include "coordinator/fleet/operations.h"
#include "coordinator/front_door/handler.h"
#include "coordinator/store/sqlite_store.h"

namespace firebreak::coordinator {

/// What the API serves, all of which must outlive it.
struct ApiParts {
  const Clock& clock;
  Store& store;
  FleetState& fleet;
  Operations& operations;
  Inquiries& inquiries;
  TokenBook& tokens;
  DurableMeans durable_means = DurableMeans::off_host;
  /// Makes the text of an enrolment token from its secret.
  std::function<std::string(const std::string& agent, const chain::Digest& secret)> enrolment_text;
  /// Ends an agent's session; false when there was none.
  std::function<bool(const std::string& agent)> cut_off;
  /// Lets an agent renew its ended certificate; false when it does not ask for that.
  std::function<bool(const std::string& agent)> approve_renewal;
  std::function<bool()> agents_listening;
  /// Lines that other parts add to /metrics.
  std::function<std::string()> more_metrics;
};

/// The HTTP API as openapi.json describes it. Thread-safe.
class Api final : public RequestHandler {
 public:
  explicit Api(ApiParts parts);

  Answer handle(ParsedRequest request, const std::string& peer_ip) override;
  std::string refusal(const Refusal& refusal) override;

  [[nodiscard]] const std::vector<Route>& routes() const { return router_.routes(); }

 private:
  std::vector<Route> table();
  Response respond(Exchange& exchange);
  /// Lets a request pass (nothing) or answers it.
  std::optional<Response> admit(Request& request, const Route& route,
                                std::string_view authorization);
  Response turn_away(const Request& request, const TokenVerdict& verdict);
  /// Acts, or answers what the same request with the same Idempotency-Key was answered.
  Response act_once(const Request& request, const Route& route, const std::string& body);
  std::optional<Response> read_body(Request& request, const std::string& body);

  // routes_read.cc
  Response ready(const Request& request);
  Response metrics(const Request& request);
  Response fleet(const Request& request);
  Response printers(const Request& request);
  Response printer(const Request& request);
  Response agents(const Request& request);
  Response events(const Request& request);
  Response event_stream(const Request& request);
  Response audit_verify(const Request& request);
  Response audit_records(const Request& request);
  // routes_act.cc
  Response stop(const Request& request);
  Response grant(const Request& request, const std::string& kind);
  Response operation(const Request& request);
  Response operation_events(const Request& request);
  Response revoke_agent(const Request& request);
  Response approve_renewal(const Request& request);
  // routes_ask.cc
  Response scan(const Request& request);
  Response diagnose(const Request& request);
  Response inquiry(const Request& request);
  Response ask(const Request& request, const std::string& agent, const std::string& verb,
               nlohmann::json arguments);
  // routes_admin.cc
  Response enroll(const Request& request);
  Response enrollments(const Request& request);
  Response create_token(const Request& request);
  Response tokens(const Request& request);
  Response revoke_token(const Request& request);

  ApiParts parts_;
  GuessBrake guesses_;
  RequestBrake requests_;
  IdempotencyBook once_;
  std::atomic<std::uint64_t> served_{0};
  std::atomic<std::uint64_t> refused_{0};
  std::atomic<std::uint64_t> wrong_tokens_{0};
  std::atomic<std::uint64_t> stops_{0};
  Router router_;
};

/// Response bytes, head and body; of a stream the head alone. HEAD sends no body.
std::string render(const Response& response, const std::string& method, bool keep_alive);

/// The names of a token's scopes.
nlohmann::json scope_names(unsigned scopes);

}  // namespace firebreak::coordinator
