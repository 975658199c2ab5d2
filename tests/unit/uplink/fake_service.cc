#include "tests/unit/uplink/fake_service.h"

#include <algorithm>
#include <asio/read_until.hpp>
#include <asio/write.hpp>
#include <charconv>

namespace firebreak::test {

using asio::ip::tcp;

std::string http_answer(int status, const std::string& body, const std::string& headers) {
  return "HTTP/1.1 " + std::to_string(status) + " Said\r\n" + headers +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

struct FakeService::Connection : std::enable_shared_from_this<Connection> {
  Connection(FakeService& of, tcp::socket socket)
      : service(of), alive(of.alive_), plain(std::move(socket)) {}

  void start() {
    if (!service.tls_) return read();
    tls.emplace(plain, *service.tls_);
    tls->async_handshake(asio::ssl::stream_base::server,
                         [self = shared_from_this()](std::error_code code) {
                           if (!code && *self->alive) self->read();
                         });
  }

  template <class Work>
  void on_stream(Work work) {
    if (tls) return work(*tls);
    work(plain);
  }

  void read() {
    on_stream([this](auto& stream) {
      stream.async_read_some(asio::buffer(chunk),
                             [self = shared_from_this()](std::error_code code, std::size_t size) {
                               if (!*self->alive) return;
                               if (code) return self->end();
                               self->in.append(self->chunk.data(), size);
                               self->take();
                               self->read();
                             });
    });
  }

  void take() {
    const auto head_end = in.find("\r\n\r\n");
    if (head_end == std::string::npos) return;
    ServiceRequest request;
    request.head = in.substr(0, head_end);
    std::size_t length = 0;
    const std::string name = "Content-Length: ";
    if (const auto at = request.head.find(name); at != std::string::npos) {
      const char* begin = request.head.data() + at + name.size();
      std::from_chars(begin, request.head.data() + request.head.size(), length);
    }
    if (in.size() < head_end + 4 + length) return;
    request.body = in.substr(head_end + 4, length);
    in.erase(0, head_end + 4 + length);
    const auto blank = request.head.find(' ');
    request.method = request.head.substr(0, blank);
    request.target = request.head.substr(blank + 1, request.head.find(' ', blank + 1) - blank - 1);
    service.requests.push_back(request);
    ++open;
    service.most_open = std::max(service.most_open, ++service.open);
    const auto bytes = service.handler ? service.handler(request) : std::string();
    if (!bytes.empty()) answer(bytes);
  }

  void answer(const std::string& bytes) {
    auto out = std::make_shared<std::string>(bytes);
    --open;
    --service.open;
    on_stream([&](auto& stream) {
      asio::async_write(stream, asio::buffer(*out),
                        [self = shared_from_this(), out](std::error_code code, std::size_t) {
                          if (code || !*self->alive) return;
                          if (self->service.pours) return self->pour();
                          if (self->service.closes) self->end();
                        });
    });
  }

  void pour() {
    static const std::string flood(65536, ' ');
    on_stream([&](auto& stream) {
      asio::async_write(stream, asio::buffer(flood),
                        [self = shared_from_this()](std::error_code code, std::size_t size) {
                          if (code || !*self->alive) return;
                          self->service.poured += size;
                          self->pour();
                        });
    });
  }

  void end() {
    service.open -= std::exchange(open, 0);
    std::error_code ignored;
    plain.close(ignored);
  }

  FakeService& service;
  std::shared_ptr<bool> alive;  ///< False once the service has gone.
  tcp::socket plain;
  std::optional<asio::ssl::stream<tcp::socket&>> tls;
  std::array<char, 4096> chunk{};
  std::string in;
  int open = 0;
};

FakeService::FakeService(asio::io_context& io, const std::string& pem_file)
    : io_(io), acceptor_(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {
  port_ = acceptor_.local_endpoint().port();
  if (!pem_file.empty()) {
    tls_.emplace(asio::ssl::context::tls_server);
    tls_->use_certificate_chain_file(pem_file);
    tls_->use_private_key_file(pem_file, asio::ssl::context::pem);
  }
  accept();
}

FakeService::~FakeService() {
  close();
  *alive_ = false;
}

std::string FakeService::url() const {
  return std::string(tls_ ? "https" : "http") + "://127.0.0.1:" + std::to_string(port_);
}

void FakeService::close() {
  std::error_code ignored;
  acceptor_.close(ignored);
  for (const auto& weak : connections_) {
    if (auto connection = weak.lock()) connection->end();
  }
  connections_.clear();
}

void FakeService::accept() {
  acceptor_.async_accept([this, alive = alive_](std::error_code code, tcp::socket socket) {
    if (code || !*alive) return;
    auto connection = std::make_shared<Connection>(*this, std::move(socket));
    connections_.push_back(connection);
    connection->start();
    accept();
  });
}

}  // namespace firebreak::test
