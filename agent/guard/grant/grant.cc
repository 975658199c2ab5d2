#include "agent/guard/grant/grant.h"

#include <sodium.h>

namespace firebreak::guard {
namespace {

static_assert(crypto_sign_PUBLICKEYBYTES == 32 && crypto_sign_BYTES == 64);

int digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::optional<GrantAction> parse_grant_action(std::string_view word) noexcept {
  if (word == "reset") return GrantAction::reset;
  if (word == "release") return GrantAction::release;
  if (word == "reset_release") return GrantAction::reset_release;
  return std::nullopt;
}

bool parse_hex(std::string_view hex, std::span<unsigned char> bytes) noexcept {
  if (hex.size() != 2 * bytes.size()) return false;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const int high = digit(hex[2 * i]);
    const int low = digit(hex[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    bytes[i] = static_cast<unsigned char>(high * 16 + low);
  }
  return true;
}

std::string to_hex(std::span<const unsigned char> bytes) {
  static constexpr std::string_view digits = "0123456789abcdef";
  std::string hex;
  hex.reserve(2 * bytes.size());
  for (const auto byte : bytes) {
    hex += digits[byte >> 4U];
    hex += digits[byte & 15U];
  }
  return hex;
}

std::string grant_message(const ChallengeBytes& challenge, GrantAction action,
                          std::uint32_t generation, std::string_view printer) {
  using namespace std::string_view_literals;
  std::string message("firebreak-grant-v1\0"sv);
  message.append(reinterpret_cast<const char*>(challenge.data()), challenge.size());
  message += static_cast<char>(action);
  for (int shift = 24; shift >= 0; shift -= 8) message += static_cast<char>(generation >> shift);
  message += static_cast<char>(printer.size());
  message += printer;
  return message;
}

Result<GrantKey> GrantKey::from_hex(std::string_view hex) {
  GrantKey key;
  if (!parse_hex(hex, key.key_)) {
    return fail(ErrorCode::bad_input, "the grant key must be 64 hex digits");
  }
  if (sodium_init() < 0) return fail(ErrorCode::internal, "libsodium does not start");
  return key;
}

bool GrantKey::verifies(std::string_view message, const SignatureBytes& signature) const noexcept {
  return crypto_sign_verify_detached(signature.data(),
                                     reinterpret_cast<const unsigned char*>(message.data()),
                                     message.size(), key_.data()) == 0;
}

}  // namespace firebreak::guard
