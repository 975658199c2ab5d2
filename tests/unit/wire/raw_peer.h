#pragma once

#include <asio/connect.hpp>
#include <asio/ip/tcp.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "common/identity/authority.h"
#include "common/identity/key.h"
#include "common/tls/tls_connection.h"
#include "common/wire/cbor.h"
#include "common/wire/frame.h"
#include "common/wire/messages.h"
#include "tests/unit/wire/farm.h"

namespace firebreak::test {

/// A TLS client that sends whatever a test wants, with whatever certificate.
class RawPeer {
 public:
  RawPeer(asio::io_context& io, std::uint16_t port, std::string ca_pem,
          std::optional<tls::Credentials> credentials, WallTime now = today) {
    tls::ClientOptions options;
    options.server_name = identity::coordinator_server_name;
    options.ca_pem = std::move(ca_pem);
    options.credentials = std::move(credentials);
    options.now = [now] { return now; };
    asio::ip::tcp::socket socket(io);
    socket.connect({asio::ip::make_address("127.0.0.1"), port});
    tls::ConnectionHandlers handlers;
    // The connection lives on a little after a peer that a test has dropped.
    handlers.opened = [self = std::weak_ptr(self_)] {
      if (const auto peer = self.lock()) (*peer)->on_open();
    };
    handlers.received = [self = std::weak_ptr(self_)](std::span<const std::byte> bytes) {
      if (const auto peer = self.lock()) (*peer)->on_bytes(bytes);
    };
    handlers.closed = [self = std::weak_ptr(self_)](const Error& reason) {
      if (const auto peer = self.lock()) (*peer)->closed = reason;
    };
    connection =
        tls::Connection::start(std::move(socket), tls::Context::client(std::move(options)).value(),
                               std::move(handlers), {});
  }
  ~RawPeer() {
    if (!closed) connection->abort({ErrorCode::unavailable, "the test ends"});
  }

  /// Sent once the handshake is done.
  void send_raw(std::string bytes) {
    if (connection->is_open()) {
      (void)connection->write(bytes);
    } else {
      waiting.push_back(std::move(bytes));
    }
  }
  void send(const nlohmann::json& message) { send_raw(wire::encode_frame(message).value()); }

  [[nodiscard]] std::string first_type() const {
    return messages.empty() ? "" : messages.front().value("t", "");
  }
  [[nodiscard]] std::string goodbye() const {
    for (const auto& message : messages) {
      if (message.value("t", "") == "bye") return message.value("code", "");
    }
    return "";
  }

  std::shared_ptr<tls::Connection> connection;
  wire::FrameReader reader{wire::frame_bytes_max};
  std::vector<std::string> waiting;
  std::vector<nlohmann::json> messages;
  bool opened = false;
  std::optional<Error> closed;

 private:
  void on_open() {
    opened = true;
    for (const std::string& bytes : waiting) (void)connection->write(bytes);
  }
  void on_bytes(std::span<const std::byte> bytes) {
    (void)reader.feed({reinterpret_cast<const char*>(bytes.data()), bytes.size()},
                      [this](std::string_view frame) {
                        messages.push_back(wire::parse_cbor(frame).value());
                        return true;
                      });
  }

  std::shared_ptr<RawPeer*> self_ = std::make_shared<RawPeer*>(this);
};

/// A key and a certificate for `agent` from `authority`, registered or not.
inline tls::Credentials make_credentials(const identity::Authority& authority,
                                         const std::string& agent, WallTime now = today,
                                         FakeCoordinator* registry = nullptr) {
  const auto key = identity::generate_key_pem().value();
  const auto request = identity::make_signing_request(key, agent).value();
  const auto certificate = authority.sign_agent(request, agent, now).value();
  if (registry != nullptr) registry->certificates[agent].push_back(certificate.fingerprint);
  return {identity::to_pem(certificate), key};
}

inline nlohmann::json hello_of(const std::string& agent, char instance = '1') {
  wire::Hello hello;
  hello.agent = agent;
  hello.software = "test";
  hello.instance = std::string(32, instance);
  return wire::encode(hello);
}

inline nlohmann::json event_of(std::uint64_t seq) {
  return {{"log", "00000000000000aa"},
          {"seq", seq},
          {"boot", "b"},
          {"mono_ms", 1},
          {"wall", nullptr},
          {"kind", "state"},
          {"severity", "info"},
          {"printer", nullptr},
          {"text", "x"},
          {"data", nlohmann::json::object()},
          {"hash", std::string(64, 'a')}};
}

}  // namespace firebreak::test
