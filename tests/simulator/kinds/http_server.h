// HTTP/1.1 for the simulated services, with what may go wrong on the way; parsing by http-parser.
#pragma once

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/simulator/kinds/kind.h"
#include "tests/simulator/kinds/stream.h"
#include "tests/simulator/kinds/websocket.h"

namespace firebreak::sim {

struct HttpRequest {
  std::string method;
  std::string target;
  std::string path;                            // without the query, decoded
  std::map<std::string, std::string> query;    // decoded
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string() : found->second;
  }
  // A JSON body; null when it is none.
  nlohmann::json json() const { return nlohmann::json::parse(body, nullptr, false); }
};

struct HttpResponse {
  int status = 200;
  std::string body;
  std::string reason = "";  // empty: the usual words
  std::string type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers;
};

// Serves one port. Answers may come later, in any order; each connection gets its own in order.
class HttpServer {
 public:
  using Reply = std::function<void(HttpResponse)>;
  using Handler = std::function<void(const HttpRequest&, Reply)>;
  // False refuses the upgrade with 401.
  using Upgrade = std::function<bool(const HttpRequest&)>;
  using Opened = std::function<void(std::shared_ptr<WebSocket>)>;

  struct Setup {
    Reactor* reactor;
    const Printer* printer;  // its clock
    const WireFaults* faults;
    RequestCount* requests;
    std::string server;  // the header `Server`
  };

  HttpServer(Setup setup, Handler handler);
  ~HttpServer();
  void serve_websockets(const std::string& path, Upgrade upgrade, Opened opened);

  std::string listen(const std::string& address) { return listener_.listen_tcp(address); }
  const std::string& address() const { return listener_.address(); }
  // False: the service is dead, connections end and new ones are refused.
  void set_running(bool running);
  // False: the board stands still; what is asked waits.
  void set_answering(bool answering);
  void advance() { timers_.run(setup_.printer->now()); }
  std::optional<Nanos> next_event() const { return timers_.next(); }

 private:
  struct Connection;
  struct Parser;
  void accept(std::shared_ptr<Stream> stream);
  void drop(const std::shared_ptr<Connection>& connection);
  void take(const std::shared_ptr<Connection>& connection, std::string_view bytes);
  void handle(const std::shared_ptr<Connection>& connection);
  void upgrade(const std::shared_ptr<Connection>& connection);
  void deliver(const std::shared_ptr<Connection>& connection);
  void write(Connection& connection, const HttpResponse& response);
  void pour(const std::weak_ptr<Connection>& weak);

  Setup setup_;
  Handler handler_;
  std::string websocket_path_;
  Upgrade upgrade_;
  Opened opened_;
  Listener listener_;
  Timers timers_;
  std::list<std::shared_ptr<Connection>> connections_;
  bool answering_ = true;
};

HttpResponse json_response(int status, const nlohmann::json& body);

}  // namespace firebreak::sim
