#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "coordinator/front_door/stream_source.h"
#include "coordinator/store/store.h"

namespace firebreak::coordinator {

/// Who makes a request.
struct Principal {
  std::string token_id;  ///< Empty: nobody (a route without a scope).
  std::string name;
  bool person = false;
  unsigned scopes = 0;
  bool expired = false;  ///< An expired, unrevoked token: it may stop, and watch that stop.

  [[nodiscard]] bool has(Scope scope) const { return (scopes & static_cast<unsigned>(scope)) != 0; }
  /// For audit records.
  [[nodiscard]] std::string who() const { return "token:" + token_id + " " + name; }
};

/// One request as handlers see it: every part was checked.
struct Request {
  std::string method;
  std::string path;
  std::map<std::string, std::string> query;  ///< Decoded; a doubled name was refused.
  std::vector<std::string> arguments;        ///< The path's parameters, in order.
  nlohmann::json body;                       ///< Null when there was none.
  std::string last_event_id;
  std::string idempotency_key;  ///< Empty: none was sent.
  std::string peer_ip;
  std::string trace_id;
  Principal principal;
};

/// One wrong field of a request.
struct FieldProblem {
  std::string pointer;
  std::string detail;
};

/// What a handler answers.
struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  std::unique_ptr<StreamSource> stream;
  std::chrono::milliseconds delay{0};
};

/// An error answer (RFC 9457). `code` is one of openapi.json's; the hint says what to do now.
Response problem(const Request& request, int status, std::string_view code, std::string detail,
                 std::string_view hint, const std::vector<FieldProblem>& errors = {});

/// A JSON answer.
Response json_response(int status, const nlohmann::json& body);

/// The answer for a failure of the store: 507, 503, 404, 409 or 500.
Response store_problem(const Request& request, const Error& error, StoreHealth health);

using Handler = std::function<Response(const Request&)>;

/// Who may come in.
enum class Access {
  open,       ///< Anybody.
  scope,      ///< A valid token with Route::scope.
  person,     ///< The same, and the token is a person's.
  stop,       ///< A token with Scope::stop, also an expired one.
  operation,  ///< Any token that is not revoked; the handler looks whether it may see this.
};

/// One operation of openapi.json.
struct Route {
  std::string method;
  std::string pattern;  ///< As in openapi.json: "/api/v1/printers/{name}".
  Access access = Access::open;
  Scope scope = Scope::view;
  Handler handler;
};

/// The reason phrase of a status.
std::string_view reason_phrase(int status);

}  // namespace firebreak::coordinator
