#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/identity/certificate.h"
#include "common/tls/tls_context.h"

namespace firebreak::tls {

/// TLS without a socket: bytes in, bytes out. The connection class moves the bytes; tests can.
/// One thread at a time.
class Engine {
 public:
  explicit Engine(std::shared_ptr<Context> context);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Ciphertext from the peer; step() consumes it.
  void feed(std::string_view bytes);

  /// What step() found.
  enum class Progress {
    needs_input,  ///< Nothing more to do until feed().
    opened,       ///< The handshake ended just now, the peer is verified; step again.
    data,         ///< `plain` holds decrypted bytes; step again.
  };
  /// Goes one step on. Output may be waiting in any case, also after an error (the alert).
  /// Errors: unavailable (the peer said goodbye), not_allowed (the peer does not verify),
  /// bad_input (broken TLS). After an error only take_output() is useful.
  Result<Progress> step(std::string& plain);

  /// Encrypts; only after `opened`.
  Result<void> write(std::string_view bytes);
  /// Queues the TLS goodbye.
  void write_end();

  /// Ciphertext for the peer, moved out.
  std::string take_output();
  [[nodiscard]] std::size_t output_bytes() const;

  [[nodiscard]] bool is_open() const;
  [[nodiscard]] bool resumed() const;
  [[nodiscard]] bool peer_expired() const;
  [[nodiscard]] const std::optional<identity::CertificateInfo>& peer() const;
  [[nodiscard]] std::string peer_root_pem() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace firebreak::tls
