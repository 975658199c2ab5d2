#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/identity/certificate.h"

namespace firebreak::wire {

/// Longest life of an enrolment token: a person carries it to the machine at once.
inline constexpr std::chrono::minutes enrolment_token_lifetime{15};

/// What a person carries from the coordinator to an agent's host: where the coordinator is, which
/// root it has, and the right to one certificate for one name. A secret until it is used.
struct EnrolmentToken {
  std::string host;
  std::uint16_t port = 0;
  identity::Fingerprint authority{};  ///< SHA-256 of the root certificate's DER.
  std::array<std::uint8_t, 32> secret{};
  std::string agent;
};

/// "fb1.<base64url of CBOR {h,p,c,s,a}>".
std::string encode_token(const EnrolmentToken& token);

/// Errors: bad_input, whose message never repeats the text. Blanks around it are ignored.
Result<EnrolmentToken> decode_token(std::string_view text);

}  // namespace firebreak::wire
