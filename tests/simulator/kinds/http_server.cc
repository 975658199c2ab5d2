#include "tests/simulator/kinds/http_server.h"

#include <http_parser.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <deque>
#include <optional>

namespace firebreak::sim {
namespace {

constexpr std::size_t kBodyBytes = std::size_t{16} << 20;
constexpr std::size_t kPourBytes = 65536;
constexpr Nanos kPourPeriod = std::chrono::milliseconds(5);

std::string decoded(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      out += static_cast<char>(std::strtol(text.substr(i + 1, 2).c_str(), nullptr, 16));
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

void split_target(HttpRequest* request) {
  const std::size_t mark = std::min(request->target.find('?'), request->target.size());
  request->path = decoded(request->target.substr(0, mark));
  std::string rest = mark < request->target.size() ? request->target.substr(mark + 1) : "";
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('&'), rest.size());
    const std::string pair = rest.substr(0, end);
    rest.erase(0, std::min(end + 1, rest.size()));
    const std::size_t equals = std::min(pair.find('='), pair.size());
    const std::string value = equals < pair.size() ? pair.substr(equals + 1) : "";
    if (equals > 0) request->query[decoded(pair.substr(0, equals))] = decoded(value);
  }
}

const char* reason_of(int status) {
  switch (status) {
    case 101: return "Switching Protocols";
    case 200: return "OK";
    case 204: return "No Content";
    case 302: return "Found";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 409: return "Conflict";
    case 503: return "Service Unavailable";
    default: return "Error";
  }
}

}  // namespace

// One parser and what it has collected of the request under way.
struct HttpServer::Parser {
  http_parser parser{};
  http_parser_settings settings{};
  HttpRequest request;
  std::string field;
  std::string value;
  bool in_value = false;
  bool keep_alive = true;
  std::function<void()> complete;

  Parser() {
    http_parser_init(&parser, HTTP_REQUEST);
    parser.data = this;
    http_parser_settings_init(&settings);
    settings.on_url = [](http_parser* from, const char* at, std::size_t size) {
      self(from).request.target.append(at, size);
      return 0;
    };
    settings.on_header_field = [](http_parser* from, const char* at, std::size_t size) {
      self(from).end_header();
      self(from).field.append(at, size);
      return 0;
    };
    settings.on_header_value = [](http_parser* from, const char* at, std::size_t size) {
      self(from).in_value = true;
      self(from).value.append(at, size);
      return 0;
    };
    settings.on_body = [](http_parser* from, const char* at, std::size_t size) {
      self(from).request.body.append(at, size);
      return self(from).request.body.size() > kBodyBytes ? 1 : 0;
    };
    settings.on_message_complete = [](http_parser* from) {
      Parser& parser = self(from);
      parser.in_value = true;
      parser.end_header();
      parser.request.method = http_method_str(static_cast<http_method>(from->method));
      parser.keep_alive = http_should_keep_alive(from) != 0;
      split_target(&parser.request);
      parser.complete();
      parser.request = HttpRequest();
      return 0;
    };
  }

  static Parser& self(http_parser* from) { return *static_cast<Parser*>(from->data); }

  void end_header() {
    if (!in_value) return;
    in_value = false;
    for (char& c : field) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (!field.empty()) request.headers[field] = value;
    field.clear();
    value.clear();
  }
};

struct HttpServer::Connection {
  struct Slot {
    std::optional<HttpResponse> response;
    bool due = false;
    bool keep_alive = true;
  };
  std::shared_ptr<Stream> stream;
  Parser parser;
  std::deque<std::shared_ptr<Slot>> slots;  // requests that are not answered yet, in order
  std::shared_ptr<WebSocket> websocket;
  bool dropped = false;
};

HttpServer::HttpServer(Setup setup, Handler handler)
    : setup_(std::move(setup)),
      handler_(std::move(handler)),
      listener_(setup_.reactor,
                [this](std::shared_ptr<Stream> stream) { accept(std::move(stream)); }) {}

HttpServer::~HttpServer() { set_running(false); }

void HttpServer::serve_websockets(const std::string& path, Upgrade upgrade, Opened opened) {
  websocket_path_ = path;
  upgrade_ = std::move(upgrade);
  opened_ = std::move(opened);
}

void HttpServer::set_running(bool running) {
  if (running == listener_.listening() || listener_.address().empty()) return;
  if (running) {
    listener_.listen_tcp(listener_.address());
    return;
  }
  listener_.close();
  while (!connections_.empty()) drop(connections_.front());
}

void HttpServer::set_answering(bool answering) {
  const bool again = answering && !answering_;
  answering_ = answering;
  if (!again) return;
  const std::list<std::shared_ptr<Connection>> all = connections_;
  for (const auto& connection : all) deliver(connection);
}

void HttpServer::accept(std::shared_ptr<Stream> stream) {
  const auto connection = std::make_shared<Connection>();
  connection->stream = std::move(stream);
  connections_.push_back(connection);
  const std::weak_ptr<Connection> weak = connection;
  connection->parser.complete = [this, weak] {
    if (const auto one = weak.lock()) handle(one);
  };
  connection->stream->start(
      [this, weak](std::string_view bytes) {
        if (const auto one = weak.lock()) take(one, bytes);
      },
      [this, weak] {
        if (const auto one = weak.lock()) drop(one);
      });
}

void HttpServer::drop(const std::shared_ptr<Connection>& held) {
  const std::shared_ptr<Connection> connection = held;
  if (connection->dropped) return;
  connection->dropped = true;
  for (std::size_t i = 0; i < connection->slots.size(); ++i) setup_.requests->end();
  connection->slots.clear();
  connection->stream->close();
  connections_.remove(connection);
}

void HttpServer::take(const std::shared_ptr<Connection>& connection, std::string_view bytes) {
  if (connection->websocket) return connection->websocket->take(bytes);
  Parser& parser = connection->parser;
  const std::size_t used =
      http_parser_execute(&parser.parser, &parser.settings, bytes.data(), bytes.size());
  if (connection->dropped) return;
  if (connection->websocket) {
    connection->websocket->take(bytes.substr(used));
  } else if (HTTP_PARSER_ERRNO(&parser.parser) != HPE_OK) {
    drop(connection);
  }
}

void HttpServer::handle(const std::shared_ptr<Connection>& connection) {
  if (connection->dropped) return;
  Parser& parser = connection->parser;
  if (parser.parser.upgrade != 0 && parser.request.path == websocket_path_ && opened_) {
    return upgrade(connection);
  }
  const auto slot = std::make_shared<Connection::Slot>();
  slot->keep_alive = parser.keep_alive;
  connection->slots.push_back(slot);
  setup_.requests->begin();
  const std::weak_ptr<Connection> weak = connection;
  const Reply reply = [this, weak, slot](HttpResponse response) {
    slot->response = std::move(response);
    const Nanos delay{static_cast<std::int64_t>(setup_.faults->value("slow") * 1e9)};
    const auto due = [this, weak, slot] {
      slot->due = true;
      if (const auto one = weak.lock()) deliver(one);
    };
    if (delay <= Nanos{0}) return due();
    timers_.at(setup_.printer->now() + delay, due);
  };
  try {
    handler_(parser.request, reply);
  } catch (const nlohmann::json::exception& problem) {  // a body of another shape
    reply(json_response(400, {{"error", problem.what()}}));
  }
}

void HttpServer::upgrade(const std::shared_ptr<Connection>& connection) {
  const HttpRequest& request = connection->parser.request;
  if (!upgrade_(request)) {
    write(*connection,
          json_response(401, {{"error", {{"code", 401}, {"message", "Unauthorized"}}}}));
    return connection->stream->finish();
  }
  connection->stream->write(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Accept: " +
      WebSocket::accept_key(request.header("sec-websocket-key")) + "\r\n\r\n");
  connection->websocket = std::make_shared<WebSocket>(connection->stream, setup_.faults);
  opened_(connection->websocket);
}

// Answers all that are due, in the order of the questions.
void HttpServer::deliver(const std::shared_ptr<Connection>& connection) {
  while (!connection->dropped && !connection->slots.empty() && connection->slots.front()->due) {
    if (!answering_ || setup_.faults->has("silent")) return;
    const auto slot = connection->slots.front();
    connection->slots.pop_front();
    setup_.requests->end();
    write(*connection, *slot->response);
    if (setup_.faults->has("endless_body")) return pour(connection);
    if (!slot->keep_alive || setup_.faults->has("cut_off")) connection->stream->finish();
  }
}

void HttpServer::write(Connection& connection, const HttpResponse& response) {
  const WireFaults& faults = *setup_.faults;
  const bool has_json = response.type == "application/json" && !response.body.empty();
  std::string body = has_json ? faults.spoil(response.body) : response.body;
  int status = response.status;
  std::string head;
  if (faults.has("redirect")) {
    status = 302;
    head += "Location: http://127.0.0.1:9/elsewhere\r\n";
    body.clear();
  }
  head = "HTTP/1.1 " + std::to_string(status) + " " +
         (response.reason.empty() ? reason_of(status) : response.reason) + "\r\n" + head;
  if (!setup_.server.empty()) head += "Server: " + setup_.server + "\r\n";
  for (const auto& [name, value] : response.headers) head += name + ": " + value + "\r\n";
  if (!body.empty()) head += "Content-Type: " + response.type + "\r\n";
  if (faults.has("endless_body")) {
    head += "Connection: close\r\n";
    if (!body.empty()) body.pop_back();
  } else if (status != 204) {
    head += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  }
  if (faults.has("cut_off")) body.resize(body.size() / 2);
  connection.stream->write(head + "\r\n" + body);
}

void HttpServer::pour(const std::weak_ptr<Connection>& weak) {
  const auto connection = weak.lock();
  if (!connection || connection->dropped) return;
  if (!setup_.faults->has("endless_body")) return connection->stream->finish();
  if (connection->stream->unwritten() == 0) connection->stream->write(std::string(kPourBytes, ' '));
  timers_.at(setup_.printer->now() + kPourPeriod, [this, weak] { pour(weak); });
}

HttpResponse json_response(int status, const nlohmann::json& body) {
  HttpResponse response;
  response.status = status;
  response.body = body.dump();
  return response;
}

}  // namespace firebreak::sim
