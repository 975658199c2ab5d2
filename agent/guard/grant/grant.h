#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace firebreak::guard {

/// What a grant allows. The number is the byte that is signed; never reused.
enum class GrantAction : std::uint8_t { reset = 1, release = 2, reset_release = 3 };

/// "reset", "release" or "reset_release"; nothing for any other word.
std::optional<GrantAction> parse_grant_action(std::string_view word) noexcept;

using ChallengeBytes = std::array<unsigned char, 32>;
using SignatureBytes = std::array<unsigned char, 64>;

/// Exactly the 2·N hex digits of N bytes, upper or lower case; nothing for any other text.
bool parse_hex(std::string_view hex, std::span<unsigned char> bytes) noexcept;
std::string to_hex(std::span<const unsigned char> bytes);

/// The bytes that a grant signs: "firebreak-grant-v1" NUL, the challenge, the action byte, the
/// generation as 4 bytes big-endian, the name's length as 1 byte, the name.
std::string grant_message(const ChallengeBytes& challenge, GrantAction action,
                          std::uint32_t generation, std::string_view printer);

/// The coordinator's public reset key. Immutable; any thread.
class GrantKey {
 public:
  /// From 64 hex digits; bad_input for anything else.
  static Result<GrantKey> from_hex(std::string_view hex);

  /// Whether `signature` is this key's over exactly this message.
  [[nodiscard]] bool verifies(std::string_view message,
                              const SignatureBytes& signature) const noexcept;

 private:
  std::array<unsigned char, 32> key_{};
};

}  // namespace firebreak::guard
