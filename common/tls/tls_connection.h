#pragma once

#include <asio/ts/netfwd.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/identity/certificate.h"
#include "common/tls/tls_context.h"

namespace firebreak::tls {

/// asio::ip::tcp::socket, named so that this header needs only Asio's forward declarations.
using Socket = asio::basic_stream_socket<asio::ip::tcp, asio::any_io_executor>;

/// Bounds of one connection. Memory: what is listed here plus about 38 kB of mbedTLS.
struct ConnectionLimits {
  /// From start() until the handshake is done, in all, however slowly the peer dribbles.
  std::chrono::milliseconds handshake{10'000};
  /// Ciphertext that the kernel has not taken yet. A write that would exceed it ends the
  /// connection: the peer does not read, and nobody waits for it.
  std::size_t outgoing_bytes = 2u << 20;
};

/// What a connection tells its owner, always on the socket's executor and never from inside
/// start() or write(). After `closed` nothing is called any more and the functions are let go,
/// so they may own the connection's owner. One that throws ends this connection (internal), and no
/// other.
struct ConnectionHandlers {
  /// The handshake is done and the peer is verified. Nothing may be written before.
  std::function<void()> opened;
  /// Decrypted bytes, in order, at most 16 kB a call; valid during the call only.
  std::function<void(std::span<const std::byte>)> received;
  /// The kernel has taken all that was written (pending_bytes() is 0). May be empty.
  std::function<void()> drained;
  /// Once: the end, with its reason. ErrorCode::unavailable for an ordinary end by the peer, a cut
  /// or a deadline; not_allowed for a peer that does not verify; bad_input for broken TLS.
  std::function<void(const Error&)> closed;
};

/// One TLS connection over a connected TCP socket, server or client by its context: a state
/// machine that is pumped by bytes, never blocks and never throws.
///
/// Threads: everything on the socket's executor (a strand when its io_context has many threads);
/// create the socket on that executor. It keeps itself alive until it is closed.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  /// Takes over the socket (made non-blocking, TCP_NODELAY) and begins the handshake.
  static std::shared_ptr<Connection> start(Socket socket, std::shared_ptr<Context> context,
                                           ConnectionHandlers handlers, ConnectionLimits limits);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Encrypts and queues. Errors: unavailable (not open, or closed), refused (the bound on
  /// outgoing bytes; the connection is then closed with that reason).
  Result<void> write(std::span<const std::byte> bytes);
  Result<void> write(std::string_view bytes);

  /// Ciphertext that the kernel has not taken yet.
  [[nodiscard]] std::size_t pending_bytes() const;

  /// Back-pressure: while paused nothing more is read from the socket (what was decrypted already
  /// was delivered). Resuming continues.
  void pause_reading(bool paused);

  /// Sends what is queued and the TLS end, then closes when the peer does, at the latest after
  /// `within`. Nothing more is received.
  void close(std::string reason, std::chrono::milliseconds within = std::chrono::seconds{2});

  /// Closes now; what is queued is dropped.
  void abort(Error reason);

  [[nodiscard]] bool is_open() const;  ///< Handshake done and not closed.

  /// The peer's certificate, verified, also on a resumed session; none on a connection without.
  [[nodiscard]] const std::optional<identity::CertificateInfo>& peer() const;
  /// The peer's certificate has ended, within ServerOptions::expired_client_grace.
  [[nodiscard]] bool peer_expired() const;
  /// The root that the peer's chain ended in, PEM (a client that pinned only its fingerprint).
  [[nodiscard]] std::string peer_root_pem() const;
  /// The handshake was an abbreviated one by a session ticket. A server must therefore check
  /// revocation itself, by peer(), on every connection.
  [[nodiscard]] bool resumed() const;
  /// "address:port" of the peer as the kernel saw it.
  [[nodiscard]] const std::string& peer_address() const;

 private:
  struct Impl;
  explicit Connection(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace firebreak::tls
