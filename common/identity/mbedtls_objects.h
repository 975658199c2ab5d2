#pragma once

#include <mbedtls/error.h>
#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>
#include <mbedtls/x509_csr.h>

#include <string>
#include <string_view>

#include "common/base/result.h"

/// Owners for mbedTLS's C objects, for common/identity and common/tls alone.
namespace firebreak::identity {

template <class Object, void (*init)(Object*), void (*release)(Object*)>
class Owned {
 public:
  Owned() { init(&object_); }
  ~Owned() { release(&object_); }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  Object* get() { return &object_; }
  const Object* get() const { return &object_; }
  Object* operator->() { return &object_; }
  const Object* operator->() const { return &object_; }

 private:
  Object object_;
};

using Key = Owned<mbedtls_pk_context, mbedtls_pk_init, mbedtls_pk_free>;
using CertificateChain = Owned<mbedtls_x509_crt, mbedtls_x509_crt_init, mbedtls_x509_crt_free>;
using SigningRequest = Owned<mbedtls_x509_csr, mbedtls_x509_csr_init, mbedtls_x509_csr_free>;
using CertificateWriter =
    Owned<mbedtls_x509write_cert, mbedtls_x509write_crt_init, mbedtls_x509write_crt_free>;
using RequestWriter =
    Owned<mbedtls_x509write_csr, mbedtls_x509write_csr_init, mbedtls_x509write_csr_free>;

/// mbedTLS's own words for a return code.
inline std::string mbedtls_text(int code) {
  char text[160] = {};
  mbedtls_strerror(code, text, sizeof text);
  return text;
}

/// PEM text with the terminator that mbedTLS counts; DER as it is.
inline std::string parse_input(std::string_view text) {
  std::string copy(text);
  if (text.find("-----BEGIN") != std::string_view::npos) copy.push_back('\0');
  return copy;
}
inline const unsigned char* bytes_of(const std::string& text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

/// Reads a private key and insists on P-256.
inline Result<void> parse_key(Key& key, std::string_view pem) {
  const std::string input = parse_input(pem);
  if (const int code = mbedtls_pk_parse_key(key.get(), bytes_of(input), input.size(), nullptr, 0)) {
    return fail(ErrorCode::bad_input, "private key: " + mbedtls_text(code));
  }
  if (mbedtls_pk_can_do(key.get(), MBEDTLS_PK_ECDSA) == 0 ||
      mbedtls_pk_ec(*key.get())->grp.id != MBEDTLS_ECP_DP_SECP256R1) {
    return fail(ErrorCode::bad_input, "private key: not an ECDSA key on P-256");
  }
  return {};
}

/// Reads a certificate or a chain of them; every one must parse.
inline Result<void> parse_chain(CertificateChain& chain, std::string_view pem_or_der) {
  const std::string input = parse_input(pem_or_der);
  if (const int code = mbedtls_x509_crt_parse(chain.get(), bytes_of(input), input.size())) {
    return fail(
        ErrorCode::bad_input,
        "certificate: " + (code > 0 ? "a part of the chain does not parse" : mbedtls_text(code)));
  }
  return {};
}

struct CertificateInfo;
/// The facts of a parsed certificate.
CertificateInfo describe(const mbedtls_x509_crt& certificate);

}  // namespace firebreak::identity
