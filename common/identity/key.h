#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"

namespace firebreak::identity {

/// Makes an ECDSA P-256 private key from the kernel's generator, as PEM text.
Result<std::string> generate_key_pem();

/// A PKCS #10 request for `common_name`, signed by the key, as PEM text. Errors: bad_input (not a
/// P-256 key, a name that does not fit).
Result<std::string> make_signing_request(std::string_view key_pem, std::string_view common_name);

/// Whether the key is the one that the certificate certifies.
bool key_fits_certificate(std::string_view key_pem, std::string_view certificate_pem);

}  // namespace firebreak::identity
