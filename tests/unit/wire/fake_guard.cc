#include "tests/unit/wire/fake_guard.h"

#include <unistd.h>

#include <asio/read_until.hpp>
#include <asio/streambuf.hpp>
#include <asio/write.hpp>

namespace firebreak::test {

using asio::local::stream_protocol;
using nlohmann::json;

struct FakeGuard::Client : std::enable_shared_from_this<Client> {
  Client(FakeGuard& guard_in, stream_protocol::socket socket_in)
      : guard(&guard_in), socket(std::move(socket_in)), timer(socket.get_executor()) {}

  FakeGuard* guard;  ///< Null once the guard has closed.
  stream_protocol::socket socket;
  asio::steady_timer timer;
  asio::streambuf buffer;

  void read() {
    asio::async_read_until(socket, buffer, '\n',
                           [self = shared_from_this()](std::error_code code, std::size_t) {
                             if (code || self->guard == nullptr) return self->gone();
                             std::istream in(&self->buffer);
                             std::string line;
                             std::getline(in, line);
                             self->handle(json::parse(line));
                           });
  }

  void gone() {
    if (guard != nullptr) guard->clients_.erase(shared_from_this());
  }

  void handle(json question) {
    const std::string verb = question["do"];
    if (verb == "events") {
      const auto answer = guard->events_after(question);
      const bool wait =
          answer.contains("events") && answer["events"].empty() && question.value("wait_ms", 0) > 0;
      if (wait || guard->hold_events) return look_again(std::move(question));
      return send(answer);
    }
    if (verb == "stop" && !guard->answer_stop) return;
    send(guard->answer(question));
  }

  void look_again(json question) {
    const int left = question.value("wait_ms", 0) - 5;
    question["wait_ms"] = guard->hold_events ? question.value("wait_ms", 0) : std::max(left, 0);
    timer.expires_after(std::chrono::milliseconds{5});
    timer.async_wait(
        [self = shared_from_this(), question = std::move(question)](std::error_code code) mutable {
          if (!code && self->guard != nullptr) self->handle(std::move(question));
        });
  }

  void send(const json& answer) {
    auto line = std::make_shared<std::string>(answer.dump() + "\n");
    asio::async_write(socket, asio::buffer(*line),
                      [self = shared_from_this(), line](std::error_code code, std::size_t) {
                        if (code || self->guard == nullptr) return self->gone();
                        self->read();
                      });
  }
};

FakeGuard::FakeGuard(asio::io_context& io, std::string path)
    : io_(io), path_(std::move(path)), acceptor_(io) {
  logs[log];
}

FakeGuard::~FakeGuard() { close(); }

void FakeGuard::open() {
  ::unlink(path_.c_str());
  acceptor_ = stream_protocol::acceptor(io_, stream_protocol::endpoint(path_));
  accept();
}

void FakeGuard::close() {
  std::error_code ignored;
  acceptor_.close(ignored);
  ::unlink(path_.c_str());
  for (const auto& client : clients_) {
    client->guard = nullptr;
    client->timer.cancel();
    client->socket.close(ignored);
  }
  clients_.clear();
}

void FakeGuard::accept() {
  acceptor_.async_accept([this](std::error_code code, stream_protocol::socket socket) {
    if (code) return;
    auto client = std::make_shared<Client>(*this, std::move(socket));
    clients_.insert(client);
    client->read();
    accept();
  });
}

void FakeGuard::new_log(const std::string& name) {
  log = name;
  logs[name];
}

void FakeGuard::add_event(const std::string& kind, const std::string& text) {
  auto& events = logs[log];
  events.push_back({{"log", log},
                    {"seq", events.size() + 1},
                    {"boot", std::string(32, 'b')},
                    {"mono_ms", 1000 + events.size()},
                    {"wall", nullptr},
                    {"kind", kind},
                    {"severity", "info"},
                    {"printer", nullptr},
                    {"text", text},
                    {"data", json::object()},
                    {"hash", std::string(64, 'a')}});
}

json FakeGuard::events_after(const json& question) {
  const std::string name = question["log"].is_null() ? log : question["log"].get<std::string>();
  if (!logs.contains(name)) {
    return {{"ok", false}, {"code", "not_found"}, {"message", "no such log"}};
  }
  json list = json::array();
  for (const auto& event : logs[name]) {
    if (event["seq"] > question["after"] && list.size() < question["limit"]) list.push_back(event);
  }
  json names = json::array();
  for (const auto& [key, events] : logs) {
    if (key != log) names.push_back({{"log", key}, {"last_seq", events.size()}});
  }
  names.push_back({{"log", log}, {"last_seq", logs[log].size()}});
  return {{"ok", true}, {"log", name}, {"logs", names}, {"events", list}};
}

json FakeGuard::answer(const json& question) {
  const std::string verb = question["do"];
  if (verb == "status") {
    return {
        {"ok", true}, {"agent", "garage"}, {"boot", std::string(32, 'b')}, {"printers", printers}};
  }
  questions.push_back(question);
  if (verb == "stop") return {{"ok", true}, {"pass", ++stops}};
  if (verb == "event") {
    add_event(question["kind"], question["text"]);
    return {{"ok", true}};
  }
  if (verb == "durable") {
    durable[question["log"]] = question["seq"];
    return {{"ok", true}};
  }
  if (verb == "challenge") {
    return {{"ok", true},
            {"challenge", std::string(64, 'c')},
            {"generation", 7},
            {"expires_ms", 600000},
            {"causes", json::array({"firmware_halt"})}};
  }
  if (verb == "grant") return {{"ok", true}};
  return {{"ok", false}, {"code", "bad_request"}, {"message", "unknown"}};
}

}  // namespace firebreak::test
