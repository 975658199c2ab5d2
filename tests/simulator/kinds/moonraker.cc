#include "tests/simulator/kinds/moonraker.h"

#include <algorithm>
#include <cstring>

namespace firebreak::sim {
namespace {

// Clients of klippy that are Moonraker's, apart from those of klippy's own socket.
constexpr int kOwnClient = 1'000'000;
// Recorded: /server/info said `ready` until klippy's next push, 0.25 s after the stop.
constexpr Nanos kLate = std::chrono::milliseconds(250);

constexpr int kNotConnected = 503;
constexpr char kNotConnectedText[] = "Klippy Host not connected";

// `a=x,y&b` of a query: objects and their fields.
nlohmann::json objects_of(const std::map<std::string, std::string>& query) {
  nlohmann::json objects = nlohmann::json::object();
  for (const auto& [name, fields] : query) {
    if (fields.empty()) {
      objects[name] = nullptr;
      continue;
    }
    std::string rest = fields + ",";
    for (std::size_t end; (end = rest.find(',')) != std::string::npos; rest.erase(0, end + 1)) {
      objects[name].push_back(rest.substr(0, end));
    }
  }
  return objects;
}

}  // namespace

const Moonraker::Method Moonraker::kMethods[] = {
    {"GET", "/server/info", "server.info", nullptr},
    {"GET", "/access/info", "access.info", nullptr},
    {"GET", "/printer/info", "printer.info", "info"},
    {"POST", "/printer/emergency_stop", "printer.emergency_stop", "emergency_stop"},
    {"POST", "/printer/restart", "printer.restart", "gcode/restart"},
    {"POST", "/printer/firmware_restart", "printer.firmware_restart", "gcode/firmware_restart"},
    {"GET", "/printer/objects/list", "printer.objects.list", "objects/list"},
    {"GET", "/printer/objects/query", "printer.objects.query", "objects/query"},
    {"POST", "/printer/objects/query", "printer.objects.query", "objects/query"},
    {"POST", "/printer/objects/subscribe", "printer.objects.subscribe", "objects/subscribe"},
    {"GET", "/printer/query_endstops/status", "printer.query_endstops.status",
     "query_endstops/status"},
    {"POST", "/printer/gcode/script", "printer.gcode.script", "gcode/script"},
    {"GET", "/printer/gcode/script", "printer.gcode.script", "gcode/script"},
    {"POST", "/printer/print/start", "printer.print.start", "gcode/script"},
    {"GET", "/printer/gcode/help", "printer.gcode.help", "gcode/help"},
    {"POST", "/printer/print/pause", "printer.print.pause", "pause_resume/pause"},
    {"POST", "/printer/print/resume", "printer.print.resume", "pause_resume/resume"},
    {"POST", "/printer/print/cancel", "printer.print.cancel", "pause_resume/cancel"},
};

Moonraker::Moonraker(KindContext context)
    : Kind(std::move(context)),
      http_({context_.reactor, context_.printer, &faults_, &requests_, "TornadoServer/6.2"},
            [this](const HttpRequest& request, const HttpServer::Reply& reply) {
              serve(request, reply);
            }),
      socket_(context_.reactor, &faults_, &timers_, &requests_),
      klippy_(context_.printer, context_.setup,
              {[this](int client, const Json& message) { from_klippy(client, message); },
               [this] { klippy_dropped(); }, [this] { socket_.listen_again(); },
               [this](const std::string& how) { stop_read(how); }}),
      next_session_(kOwnClient + 1) {
  socket_.serve(&klippy_, context_.printer);
  http_.serve_websockets(
      "/websocket", [this](const HttpRequest& request) { return allowed(request); },
      [this](std::shared_ptr<WebSocket> socket) { open_session(std::move(socket)); });
}

std::string Moonraker::open() {
  const std::string error = setup().socket.empty() ? "" : socket_.listen(setup().socket);
  return error.empty() ? http_.listen(setup().listen) : error;
}

bool Moonraker::allowed(const HttpRequest& request) const {
  if (faults_.has("wrong_key")) return false;
  if (setup().api_key.empty()) return true;
  const auto token = request.query.find("token");
  return request.header("x-api-key") == setup().api_key ||
         (token != request.query.end() && token->second == setup().api_key);
}

HttpResponse Moonraker::to_http(const Outcome& outcome) {
  if (outcome.code == 0) return json_response(200, {{"result", outcome.result}});
  HttpResponse response = json_response(
      outcome.code,
      {{"error", {{"code", outcome.code}, {"message", outcome.message}, {"traceback", ""}}}});
  // Recorded: Klipper's words stand in the status line as well.
  const std::size_t line = outcome.message.find('\n');
  if (outcome.code == 400) response.reason = outcome.message.substr(0, line);
  return response;
}

void Moonraker::serve(const HttpRequest& request, const HttpServer::Reply& reply) {
  if (!allowed(request) && request.path != "/access/info") {
    return reply(to_http({nullptr, 401, "Unauthorized"}));
  }
  for (const Method& method : kMethods) {
    if (request.path != method.path || request.method != method.http_method) continue;
    Json params = request.json();
    if (!params.is_object()) params = Json::object();
    if (std::strcmp(method.path, "/printer/objects/query") == 0 && params.empty()) {
      params["objects"] = objects_of(request.query);
    }
    for (const char* name : {"script", "filename"}) {
      if (request.query.count(name) > 0) params[name] = request.query.at(name);
    }
    return call(method, params, 0, [reply](const Outcome& outcome) { reply(to_http(outcome)); });
  }
  reply(to_http({nullptr, 404, "Not Found"}));
}

void Moonraker::call(const Method& method, const Json& params, int session, Answer answer) {
  if (method.klippy == nullptr) return answer(own_answer(method));
  if (klippy_.state() == KlippyState::gone) {
    return answer({nullptr, kNotConnected, kNotConnectedText});
  }
  Json own = params;
  if (std::strcmp(method.klippy, "objects/subscribe") == 0) {
    own["response_template"] = {{"push", "status"}};
  }
  if (std::strcmp(method.path, "/printer/print/start") == 0) {
    own["script"] = "SDCARD_PRINT_FILE FILENAME=" + params.value("filename", "");
  }
  call_klippy(session > 0 ? session : kOwnClient, method.klippy, own, std::move(answer));
}

void Moonraker::call_klippy(int client, const std::string& method, const Json& params,
                            Answer answer) {
  const int id = next_call_++;
  calls_[id] = std::move(answer);
  klippy_.request(client, {{"id", id}, {"method", method}, {"params", params}});
}

Moonraker::Outcome Moonraker::own_answer(const Method& method) {
  if (std::strcmp(method.path, "/server/info") == 0) return {server_info(), 0, ""};
  return {{{"default_source", "moonraker"},
           {"available_sources", {"moonraker"}},
           {"login_required", !setup().api_key.empty()},
           {"trusted", setup().api_key.empty()}},
          0,
          ""};
}

Moonraker::Json Moonraker::server_info() const {
  const bool connected = klippy_.state() != KlippyState::gone;
  return {{"klippy_connected", connected},
          {"klippy_state", klippy_state_name(connected ? known_ : KlippyState::gone)},
          {"components", {"klippy_connection", "websockets", "authorization", "klippy_apis"}},
          {"failed_components", Json::array()},
          {"registered_directories", {"config", "gcodes"}},
          {"warnings", Json::array()},
          {"websocket_count", sessions_.size()},
          {"moonraker_version", "v0.9.3-1"},
          {"missing_klippy_requirements", Json::array()},
          {"api_version", {1, 5, 0}},
          {"api_version_string", "1.5.0"}};
}

void Moonraker::open_session(std::shared_ptr<WebSocket> socket) {
  const int id = next_session_++;
  sessions_[id].socket = socket;
  socket->on_message([this, id](const std::string& text) { take_rpc(id, text); });
}

void Moonraker::answer_rpc(int session, const Json& id, const Outcome& outcome) {
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return;
  Json message = {{"jsonrpc", "2.0"}, {"id", id}};
  if (outcome.code == 0) {
    message["result"] = outcome.result;
  } else {
    message["error"] = {{"code", outcome.code}, {"message", outcome.message}};
  }
  found->second.socket->send(message.dump());
}

void Moonraker::take_rpc(int session, const std::string& text) {
  const Json request = Json::parse(text, nullptr, false);
  if (request.is_discarded()) return answer_rpc(session, nullptr, {{}, -32700, "Parse error"});
  if (!request.is_object()) return;
  const Json id = request.value("id", Json());
  if (request.value("jsonrpc", Json()) != "2.0") {
    return answer_rpc(session, id, {{}, -32600, "Invalid Request"});
  }
  const Json name = request.value("method", Json());
  Json params = request.value("params", Json::object());
  if (!params.is_object()) params = Json::object();
  if (id.is_null()) return;
  if (name == "server.connection.identify") {
    if (sessions_[session].identified) {
      return answer_rpc(session, id, {{}, 400, "Connection already identified"});
    }
    sessions_[session].identified = true;
    return answer_rpc(session, id, {{{"connection_id", session}}, 0, ""});
  }
  requests_.begin();
  const Answer answer = [this, session, id](const Outcome& outcome) {
    requests_.end();
    answer_rpc(session, id, outcome);
  };
  for (const Method& method : kMethods) {
    if (name == method.rpc) return call(method, params, session, answer);
  }
  answer({{}, -32601, "Method not found"});
}

void Moonraker::from_klippy(int client, const Json& message) {
  if (socket_.send(client, message)) return;
  if (message.contains("push")) {
    const auto session = sessions_.find(client);
    if (session == sessions_.end()) return;
    const Json& params = message["params"];
    session->second.socket->send(Json({{"jsonrpc", "2.0"},
                                       {"method", "notify_status_update"},
                                       {"params", {params["status"], params["eventtime"]}}})
                                     .dump());
    return;
  }
  if (message.contains("gcode")) {
    return broadcast("notify_gcode_response", Json::array({message["params"]["response"]}));
  }
  const auto call = calls_.find(message.value("id", 0));
  if (call == calls_.end()) return;
  const Answer answer = std::move(call->second);
  calls_.erase(call);
  if (message.contains("error")) {
    return answer({nullptr, 400, message["error"]["message"].get<std::string>()});
  }
  const Json& result = message["result"];
  answer({result.empty() ? Json("ok") : result, 0, ""});
}

void Moonraker::klippy_dropped() {
  socket_.drop_clients();
  klippy_.forget(kOwnClient);
  for (const auto& [id, session] : sessions_) klippy_.forget(id);
  const std::map<int, Answer> calls = std::move(calls_);
  calls_.clear();
  for (const auto& [id, answer] : calls) answer({nullptr, kNotConnected, kNotConnectedText});
  told_ = known_ = KlippyState::gone;
  broadcast("notify_klippy_disconnected");
}

void Moonraker::broadcast(const char* method, const Json& params) {
  Json message = {{"jsonrpc", "2.0"}, {"method", method}};
  if (!params.is_null()) message["params"] = params;
  for (const auto& [id, session] : sessions_) session.socket->send(message.dump());
}

// Tells the sessions of klippy's states, a push later than they happen.
void Moonraker::follow_klippy() {
  const KlippyState now = klippy_.state();
  if (now == told_ || now == KlippyState::gone) {
    know_at_.reset();
    return;
  }
  if (!know_at_) know_at_ = printer().now() + kLate;
  if (printer().now() < *know_at_) return;
  know_at_.reset();
  told_ = known_ = now;
  if (now == KlippyState::ready) {
    call_klippy(kOwnClient, "gcode/subscribe_output", {{"response_template", {{"gcode", true}}}},
                [](const Outcome&) {});
    broadcast("notify_klippy_ready");
  }
  if (now == KlippyState::shutdown) broadcast("notify_klippy_shutdown");
}

void Moonraker::advance() {
  timers_.run(printer().now());
  http_.set_running(!faults_.has("gone"));
  http_.advance();
  klippy_.advance();
  follow_klippy();
  for (auto session = sessions_.begin(); session != sessions_.end();) {
    if (session->second.socket->open()) {
      ++session;
      continue;
    }
    klippy_.forget(session->first);
    session = sessions_.erase(session);
  }
}

std::optional<Nanos> Moonraker::next_event() const {
  std::optional<Nanos> next = klippy_.next_event();
  for (const auto& other : {timers_.next(), http_.next_event(), know_at_}) {
    if (other && (!next || *other < *next)) next = other;
  }
  return next;
}

bool Moonraker::print(const std::string& name, const std::string& gcode) {
  if (klippy_.state() != KlippyState::ready) return false;
  klippy_.start_print(name, gcode);
  return true;
}

std::initializer_list<const char*> Moonraker::own_faults() const {
  static constexpr std::initializer_list<const char*> kFaults = {
      "gone",        "klippy_gone", "silent",        "slow",           "frozen_values",
      "wrong_key",   "redirect",    "big_body",      "endless_body",   "invalid_utf8",
      "wrong_shape", "cut_off",     "other_printer", "close_mid_frame"};
  return kFaults;
}

void Moonraker::on_fault(const std::string& name, bool on) {
  if (name == "klippy_gone") on ? klippy_.die() : klippy_.start();
  if (name == "frozen_values") klippy_.set_frozen(on);
  if (name == "other_printer") klippy_.set_host_name(on ? "another" : setup().host_name);
}

Moonraker::Json Moonraker::own_state() const {
  return {{"klippy_state", klippy_state_name(klippy_.state())},
          {"state_message", klippy_.state_message()},
          {"websockets", sessions_.size()}};
}

}  // namespace firebreak::sim
