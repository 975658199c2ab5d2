#include "common/identity/certificate.h"

#include <mbedtls/oid.h>
#include <mbedtls/pem.h>

#include <chrono>
#include <cstring>
#include <span>
#include <vector>

#include "common/base/hex.h"
#include "common/identity/bytes.h"
#include "common/identity/mbedtls_objects.h"

namespace firebreak::identity {
namespace {

WallTime wall_time(const mbedtls_x509_time& t) {
  const std::chrono::sys_days day =
      std::chrono::year{t.year} / static_cast<unsigned>(t.mon) / static_cast<unsigned>(t.day);
  return day + std::chrono::hours{t.hour} + std::chrono::minutes{t.min} +
         std::chrono::seconds{t.sec};
}

std::string common_name(const mbedtls_x509_name& subject) {
  for (const mbedtls_x509_name* part = &subject; part != nullptr; part = part->next) {
    if (MBEDTLS_OID_CMP(MBEDTLS_OID_AT_CN, &part->oid) == 0) {
      return {reinterpret_cast<const char*>(part->val.p), part->val.len};
    }
  }
  return {};
}

}  // namespace

CertificateInfo describe(const mbedtls_x509_crt& certificate) {
  CertificateInfo info;
  info.issuer = common_name(certificate.issuer);
  info.common_name = common_name(certificate.subject);
  info.der.assign(reinterpret_cast<const char*>(certificate.raw.p), certificate.raw.len);
  info.fingerprint = sha256(info.der);
  info.not_before = wall_time(certificate.valid_from);
  info.not_after = wall_time(certificate.valid_to);
  info.is_authority = certificate.ca_istrue != 0;
  return info;
}

Result<CertificateInfo> read_certificate(std::string_view pem_or_der) {
  CertificateChain chain;
  if (auto parsed = parse_chain(chain, pem_or_der); !parsed) return fail(parsed.error());
  return describe(*chain.get());
}

Result<std::vector<CertificateInfo>> read_certificates(std::string_view pem) {
  CertificateChain chain;
  if (auto parsed = parse_chain(chain, pem); !parsed) return fail(parsed.error());
  std::vector<CertificateInfo> out;
  for (const mbedtls_x509_crt* link = chain.get(); link != nullptr; link = link->next)
    out.push_back(describe(*link));
  return out;
}

std::string to_text(const Fingerprint& fingerprint) {
  std::string out;
  for (const std::uint8_t byte : fingerprint)
    out += (out.empty() ? "" : ":") + to_hex(std::span(&byte, 1));
  return out;
}

std::string to_pem(const CertificateInfo& certificate) {
  std::vector<unsigned char> out(certificate.der.size() * 2 + 128);
  std::size_t size = 0;
  if (mbedtls_pem_write_buffer("-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n",
                               bytes_of(certificate.der), certificate.der.size(), out.data(),
                               out.size(), &size) != 0) {
    return {};
  }
  return reinterpret_cast<const char*>(out.data());
}

}  // namespace firebreak::identity
