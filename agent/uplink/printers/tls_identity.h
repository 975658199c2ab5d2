#pragma once

#include <memory>
#include <string>

struct ssl_ctx_st;
struct x509_st;

namespace firebreak::uplink {

/// Which certificate the other side must show (see MqttConnection for what that proves).
struct ExpectedIdentity {
  std::string public_key_pin;    ///< "sha256//BASE64"; it alone decides where it is given.
  std::string certificate_name;  ///< Else the certificate's only common name.
  bool refused = false;          ///< Set by a handshake whose certificate was another one.
};

struct TlsContextFree {
  void operator()(ssl_ctx_st* context) const noexcept;
};
using TlsContextPointer = std::unique_ptr<ssl_ctx_st, TlsContextFree>;

/// An OpenSSL client context, TLS 1.2 or newer, whose handshake fails, before anything of ours is
/// sent, unless the certificate is the expected one. `expected` must outlive it. Null: no memory.
TlsContextPointer make_tls_context(ExpectedIdentity& expected);

/// "sha256//BASE64" of a certificate's public key, as curl writes it; empty where it has none.
std::string public_key_pin_of(const x509_st& certificate);

}  // namespace firebreak::uplink
