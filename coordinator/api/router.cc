#include "coordinator/api/router.h"

#include <httplib.h>

#include <algorithm>
#include <cstring>
#include <set>

namespace firebreak::coordinator {
namespace {

// Handlers run inside process_request on the same thread; this is how they find their request.
thread_local Exchange* current = nullptr;

/// A whole request in memory; what is written to it is dropped.
class MemoryStream final : public httplib::Stream {
 public:
  explicit MemoryStream(std::string text) : text_(std::move(text)) {}

  bool is_readable() const override { return at_ < text_.size(); }
  bool is_writable() const override { return true; }
  ssize_t read(char* out, size_t size) override {
    const std::size_t count = std::min(size, text_.size() - at_);
    std::memcpy(out, text_.data() + at_, count);
    at_ += count;
    return static_cast<ssize_t>(count);
  }
  ssize_t write(const char*, size_t size) override { return static_cast<ssize_t>(size); }
  void get_remote_ip_and_port(std::string& ip, int& port) const override {
    ip.clear();
    port = 0;
  }
  void get_local_ip_and_port(std::string& ip, int& port) const override {
    ip.clear();
    port = 0;
  }
  socket_t socket() const override { return INVALID_SOCKET; }

 private:
  const std::string text_;
  std::size_t at_ = 0;
};

/// "/printers/{name}/reset" as the regular expression "/printers/([^/]+)/reset".
std::string expression(const std::string& pattern) {
  std::string out;
  bool inside = false;
  for (const char c : pattern) {
    if (c == '{') {
      inside = true;
      out += "([^/]+)";
    } else if (c == '}') {
      inside = false;
    } else if (!inside) {
      if (c == '.') out += '\\';
      out += c;
    }
  }
  return out;
}

std::string rewritten(const ParsedRequest& request) {
  std::string out = request.method + " " + request.path;
  if (!request.query.empty()) out += "?" + request.query;
  out += " HTTP/1.1\r\nHost: coordinator\r\nConnection: close\r\n";
  if (!request.body.empty())
    out +=
        "Content-Type: application/json\r\nContent-Length: " + std::to_string(request.body.size()) +
        "\r\n";
  return out + "\r\n" + request.body;
}

void note_match(const Route& route, const httplib::Request& matched) {
  Exchange& exchange = *current;
  exchange.route = &route;
  for (std::size_t i = 1; i < matched.matches.size(); ++i)
    exchange.request.arguments.push_back(matched.matches[i].str());
  for (const auto& [name, value] : matched.params)
    if (!exchange.request.query.emplace(name, value).second) exchange.doubled_query = true;
}

}  // namespace

class Router::Server final : public httplib::Server {
 public:
  explicit Server(const std::vector<Route>& routes) {
    set_payload_max_length(request_body_bytes_max);
    for (const Route& route : routes) {
      const auto handler = [&route](const httplib::Request& request, httplib::Response&) {
        note_match(route, request);
      };
      const std::string pattern = expression(route.pattern);
      if (route.method == "GET") Get(pattern, handler);
      if (route.method == "POST") Post(pattern, handler);
      if (route.method == "DELETE") Delete(pattern, handler);
    }
  }
  void find(const ParsedRequest& request) {
    MemoryStream stream(rewritten(request));
    bool closed = false;
    process_request(stream, true, closed, {});
  }
};

Router::Router(std::vector<Route> routes)
    : routes_(std::move(routes)), server_(std::make_unique<Server>(routes_)) {}

Router::~Router() = default;

void Router::find(Exchange& exchange) const {
  current = &exchange;
  server_->find(*exchange.parsed);
  current = nullptr;
}

std::string Router::allowed(const std::string& path) const {
  std::set<std::string> methods;
  for (const Route& route : routes_) {
    if (!std::regex_match(path, std::regex(expression(route.pattern)))) continue;
    methods.insert(route.method);
    if (route.method == "GET") methods.insert("HEAD");
  }
  std::string out;
  for (const std::string& method : methods) out += (out.empty() ? "" : ", ") + method;
  return out;
}

}  // namespace firebreak::coordinator
