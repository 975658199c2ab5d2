#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/identity/certificate.h"

namespace firebreak::tls {

/// A certificate (the leaf first, then what links it to its root) and its private key, both PEM.
struct Credentials {
  std::string certificate_chain_pem;
  std::string key_pem;
};

/// What a server asks of its clients.
enum class ClientCertificates {
  none,      ///< Never asked for: people's HTTP.
  optional,  ///< Asked for; a client may have none (enrolment). One that is shown must verify.
  required,
};

/// Where "now" comes from when a certificate's validity is judged. mbedTLS reads the wall clock
/// behind our back, which a host without a battery clock gets wrong, so its verdict on time is
/// dropped and this function's is taken. Called on the connection's executor.
using NowFunction = std::function<WallTime()>;

struct ServerOptions {
  Credentials credentials;
  ClientCertificates client_certificates = ClientCertificates::none;
  std::string client_ca_pem;  ///< Root of client certificates; unused with `none`.
  NowFunction now;            ///< Required unless client_certificates is `none`.
  /// How long past its end a client's certificate still opens a connection, which then reports
  /// `peer_expired()`; the owner decides what such a client may do. Zero: refused at once.
  std::chrono::hours expired_client_grace{0};
  /// Lifetime of session tickets (their keys live in memory only); zero turns tickets off.
  std::chrono::seconds ticket_lifetime{std::chrono::hours{24}};
};

struct ClientOptions {
  /// The DNS name that the server's certificate must carry, whatever address was dialled.
  std::string server_name;
  /// The root to trust: its certificate, or its fingerprint alone (then the server must send the
  /// root with its chain). Exactly one of the two.
  std::string ca_pem;
  std::optional<identity::Fingerprint> ca_fingerprint;
  std::optional<Credentials> credentials;  ///< The client's own certificate, if it has one.
  NowFunction now;                         ///< A lower bound of the time; required.
};

/// The shared, unchanging half of TLS: keys, roots, policy; TLS 1.2 only, ECDHE-ECDSA on P-256
/// with AES-128-GCM or ChaCha20-Poly1305. A client's context also keeps the last session, so that
/// a redial is an abbreviated handshake. Thread-safe; must outlive nothing (connections share it).
class Context {
 public:
  /// Errors: bad_input (a PEM that does not parse, a key that does not fit its certificate).
  static Result<std::shared_ptr<Context>> server(ServerOptions options);
  static Result<std::shared_ptr<Context>> client(ClientOptions options);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  struct Impl;  ///< mbedTLS's side; only common/tls sees inside.
  Impl& impl() { return *impl_; }

 private:
  explicit Context(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace firebreak::tls
