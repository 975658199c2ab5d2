#include "coordinator/cli/api.h"

#include <fmt/format.h>
#include <poll.h>

#include <cctype>
#include <nlohmann/json.hpp>

#include "coordinator/cli/json_access.h"

namespace firebreak::cli {
namespace {

using nlohmann::json;
using Time = std::chrono::steady_clock;

// Between two tries to resume a stream.
constexpr int resume_pause_ms = 500;

// Which command helps after each kind of refusal.
std::string next_after(long status, const std::string& code, const std::string& server) {
  if (status == 401) return "firebreak login " + server;
  if (status == 403)
    return "firebreak token list (an admin makes one that may: firebreak token create)";
  if (code == "agent_offline") return "firebreak agents";
  if (status == 404 || status == 409) return "firebreak fleet";
  if (status == 400) return "firebreak --help";
  return "firebreak status; the coordinator's log has the reason";
}

}  // namespace

std::string url_part(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = byte < 0x80 && (std::isalnum(byte) != 0 ||
                                       std::string_view("-._~:").find(c) != std::string_view::npos);
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", byte);
  }
  return out;
}

Outcome<Api> Api::open(const Context& context) {
  auto settings = load_settings(context);
  if (!settings) return give_up(settings.error());
  Api api(std::move(*settings));
  api.on_wait([&console = context.console, server = api.server()](std::chrono::seconds waited) {
    console.progress(fmt::format("waiting for {} ({} s)", server, waited.count()));
  });
  return api;
}

HttpRequest Api::request(const std::string& method, const std::string& path) const {
  HttpRequest request;
  request.method = method;
  request.url = settings_.server + path;
  request.bearer = settings_.token;
  request.ca_file = settings_.ca_file;
  if (hurry_) {
    request.connect_limit = std::chrono::seconds{3};
    request.total_limit = std::chrono::seconds{10};
  }
  return request;
}

Failure Api::failure_of(const HttpError& error, bool changes) const {
  using Kind = HttpError::Kind;
  if (error.kind == Kind::untrusted) {
    return {ExitStatus::failed,
            settings_.server +
                " is not who it should be, or its certificate does not verify: " + error.message,
            "compare its CA with the coordinator's own, then: firebreak login " + settings_.server};
  }
  const bool unknown = changes && error.may_have_arrived;
  return {unknown ? ExitStatus::outcome_unknown : ExitStatus::failed,
          fmt::format("the coordinator at {} does not answer: {}{}", settings_.server,
                      error.message, unknown ? " (nobody knows whether the request counted)" : ""),
          "on the printer's own host, without the coordinator: firebreak local status"};
}

Failure Api::failure_of(const HttpAnswer& answer, bool changes) const {
  const auto problem = json::parse(answer.body, nullptr, false);
  const auto code = text_of(problem, "code");
  std::string message = text_of(problem, "detail");
  if (message.empty()) message = text_of(problem, "title");
  if (message.empty()) {
    message = fmt::format("the coordinator answered {} without saying why", answer.status);
  }
  for (const auto& error : list_of(problem, "errors")) {
    message += fmt::format(" [{}: {}]", text_of(error, "pointer"), text_of(error, "detail"));
  }
  if (const auto hint = text_of(problem, "hint"); !hint.empty()) message += ". " + hint;
  return {status_of_http(answer.status, code, changes), message,
          next_after(answer.status, code, settings_.server)};
}

Outcome<json> Api::exchange(const std::string& method, const std::string& path,
                            const std::string& body) {
  const bool changes = method != "GET";
  auto wanted = request(method, path);
  wanted.body = body;
  const auto started = Time::now();
  const auto answer = fetch(wanted, [&] {
    const auto waited = std::chrono::floor<std::chrono::seconds>(Time::now() - started);
    if (waited.count() >= 1 && on_wait_) on_wait_(waited);
    return true;
  });
  last_status_ = answer ? answer->status : 0;
  if (!answer) return give_up(failure_of(answer.error(), changes));
  if (answer->status < 200 || answer->status >= 300) {
    return give_up(failure_of(*answer, changes));
  }
  if (answer->body.empty()) return json::object();
  auto value = json::parse(answer->body, nullptr, false);
  if (!value.is_discarded()) return value;
  return give_up(changes ? ExitStatus::outcome_unknown : ExitStatus::failed,
                 settings_.server + " answered with something that is not JSON",
                 "check that this is a Firebreak coordinator: firebreak version");
}

Outcome<json> Api::get(const std::string& path) { return exchange("GET", path, {}); }
Outcome<json> Api::post(const std::string& path, const json& body) {
  return exchange("POST", path, body.dump());
}
Outcome<json> Api::remove(const std::string& path) { return exchange("DELETE", path, {}); }

Outcome<void> Api::follow(const std::string& path, std::string last_id,
                          std::chrono::milliseconds limit,
                          const std::function<bool(const SseEvent&)>& on_event,
                          const std::function<bool()>& tick) {
  const auto until = Time::now() + limit;
  bool ended = false;
  bool ever = false;
  for (;;) {
    SseParser parser([&](const SseEvent& event) {
      last_id = event.id;
      if (!ended && !on_event(event)) ended = true;
    });
    auto wanted = request("GET", path);
    wanted.last_event_id = last_id;
    wanted.total_limit = std::chrono::ceil<std::chrono::milliseconds>(until - Time::now());
    if (wanted.total_limit.count() <= 0) return {};
    const auto answer = stream(
        wanted,
        [&](std::string_view bytes) {
          ever = true;
          return parser.feed(bytes) && !ended;
        },
        [&] {
          if (!ended && !tick()) ended = true;
          return !ended;
        });
    if (ended) return {};
    if (answer && answer->status != 200) return give_up(failure_of(*answer, false));
    if (!answer && !ever && answer.error().kind != HttpError::Kind::timed_out) {
      return give_up(failure_of(answer.error(), false));
    }
    if (Time::now() >= until || !tick()) return {};
    poll(nullptr, 0, resume_pause_ms);
  }
}

}  // namespace firebreak::cli
