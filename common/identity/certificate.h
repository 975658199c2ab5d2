#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"

namespace firebreak::identity {

/// SHA-256 of a certificate's DER bytes: how certificates are named in the registry and in tokens.
using Fingerprint = std::array<std::uint8_t, 32>;

/// What the product needs to know of an X.509 certificate. A value; safe to copy across threads.
struct CertificateInfo {
  std::string issuer;       ///< The issuer's CN.
  std::string common_name;  ///< The subject's CN: an agent's name, or the coordinator's fixed name.
  std::string der;
  Fingerprint fingerprint{};
  WallTime not_before{};
  WallTime not_after{};
  bool is_authority = false;  ///< The basicConstraints CA bit.
};

/// Reads one certificate, PEM or DER; of a chain, the first. Errors: bad_input.
Result<CertificateInfo> read_certificate(std::string_view pem_or_der);

/// All certificates of a PEM text, in its order. Errors: bad_input (none, or one does not parse).
Result<std::vector<CertificateInfo>> read_certificates(std::string_view pem);

/// "ab:cd:…", as people compare it.
std::string to_text(const Fingerprint& fingerprint);

/// One certificate's DER bytes as PEM text.
std::string to_pem(const CertificateInfo& certificate);

}  // namespace firebreak::identity
