#pragma once

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/ssl.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace firebreak::test {

struct ServiceRequest {
  std::string method, target, head, body;
};

/// The bytes of an answer with this status and body.
std::string http_answer(int status, const std::string& body, const std::string& headers = {});

/// A printer's HTTP service on the loopback, as broken as a test wants it, on the test's
/// io_context. With a certificate it speaks TLS.
class FakeService {
 public:
  /// Gives the bytes of the answer; none at all: it is silent and keeps the connection.
  using Handler = std::function<std::string(const ServiceRequest&)>;

  explicit FakeService(asio::io_context& io, const std::string& pem_file = {});
  ~FakeService();

  [[nodiscard]] std::string url() const;
  void close();  ///< As if dead: connections end, new ones are refused.

  Handler handler;
  bool pours = false;      ///< Behind each answer come bytes without an end.
  bool closes = false;     ///< After each answer it closes.
  std::size_t poured = 0;  ///< Bytes of that.
  int open = 0;            ///< Requests without an answer, on connections that stand.
  int most_open = 0;
  std::vector<ServiceRequest> requests;

 private:
  struct Connection;
  void accept();

  asio::io_context& io_;
  asio::ip::tcp::acceptor acceptor_;
  std::optional<asio::ssl::context> tls_;
  std::uint16_t port_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::vector<std::weak_ptr<Connection>> connections_;
};

}  // namespace firebreak::test
