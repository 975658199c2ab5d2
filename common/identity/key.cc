#include "common/identity/key.h"

#include <mbedtls/ecp.h>

#include <array>

#include "common/identity/bytes.h"
#include "common/identity/mbedtls_objects.h"

namespace firebreak::identity {
namespace {

/// A P-256 key or request in PEM takes a few hundred bytes; names are at most 64.
constexpr std::size_t key_pem_bytes_max = 4096;

}  // namespace

Result<std::string> generate_key_pem() {
  Key key;
  int code = mbedtls_pk_setup(key.get(), mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));
  if (code == 0) {
    code = mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(*key.get()),
                               random_for_mbedtls, nullptr);
  }
  std::array<unsigned char, key_pem_bytes_max> out{};
  if (code == 0) code = mbedtls_pk_write_key_pem(key.get(), out.data(), out.size());
  if (code != 0) return fail(ErrorCode::internal, "making a key: " + mbedtls_text(code));
  return std::string(reinterpret_cast<const char*>(out.data()));
}

Result<std::string> make_signing_request(std::string_view key_pem, std::string_view common_name) {
  Key key;
  if (auto parsed = parse_key(key, key_pem); !parsed) return fail(parsed.error());
  RequestWriter request;
  mbedtls_x509write_csr_set_md_alg(request.get(), MBEDTLS_MD_SHA256);
  mbedtls_x509write_csr_set_key(request.get(), key.get());
  const std::string subject = "CN=" + std::string(common_name);
  int code = mbedtls_x509write_csr_set_subject_name(request.get(), subject.c_str());
  std::array<unsigned char, key_pem_bytes_max> out{};
  if (code == 0) {
    code = mbedtls_x509write_csr_pem(request.get(), out.data(), out.size(), random_for_mbedtls,
                                     nullptr);
  }
  if (code != 0) return fail(ErrorCode::bad_input, "signing request: " + mbedtls_text(code));
  return std::string(reinterpret_cast<const char*>(out.data()));
}

bool key_fits_certificate(std::string_view key_pem, std::string_view certificate_pem) {
  Key key;
  CertificateChain chain;
  return parse_key(key, key_pem) && parse_chain(chain, certificate_pem) &&
         mbedtls_pk_check_pair(&chain->pk, key.get()) == 0;
}

}  // namespace firebreak::identity
