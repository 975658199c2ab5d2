#pragma once

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace firebreak::coordinator {

/// A blocking TLS client of another make than the server, that sends whatever bytes it is told to.
class TlsClient {
 public:
  explicit TlsClient(std::uint16_t port, bool handshake = true) {
    socket_ = ::socket(AF_INET, SOCK_STREAM, 0);
    // A server that hangs fails the test instead of holding it up for ever.
    timeval limit{60, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(socket_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
    if (!handshake || !connected_) return;
    context_ = SSL_CTX_new(TLS_client_method());
    ssl_ = SSL_new(context_);
    SSL_set_fd(ssl_, socket_);
    connected_ = SSL_connect(ssl_) == 1;
  }
  ~TlsClient() {
    if (ssl_ != nullptr) SSL_free(ssl_);
    if (context_ != nullptr) SSL_CTX_free(context_);
    ::close(socket_);
  }
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;

  [[nodiscard]] bool connected() const { return connected_; }
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const int sent = SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()));
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  /// Everything until the server closes; or until `mark` has come, when it is not empty.
  std::string receive(std::string_view mark = {}) {
    while (mark.empty() || received_.find(mark) == std::string::npos) {
      char buffer[4096];
      const int count = SSL_read(ssl_, buffer, sizeof buffer);
      if (count <= 0) break;
      received_.append(buffer, static_cast<std::size_t>(count));
    }
    return received_;
  }
  /// True when the server ended the connection before it said anything.
  bool closed_by_server() {
    char byte = 0;
    return ssl_ != nullptr ? SSL_read(ssl_, &byte, 1) <= 0 : ::recv(socket_, &byte, 1, 0) <= 0;
  }
  int status() {
    const std::string text = receive("\r\n\r\n");
    return text.size() < 12 ? 0 : std::atoi(text.c_str() + 9);
  }

 private:
  int socket_ = -1;
  bool connected_ = false;
  SSL_CTX* context_ = nullptr;
  SSL* ssl_ = nullptr;
  std::string received_;
};

}  // namespace firebreak::coordinator
