#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

/// Small conversions over libsodium that identity, wire and hub share. Thread-safe, no failure
/// beyond what the return type says.
namespace firebreak::identity {

/// URL-safe base64 without padding, both ways; decoding is strict.
std::string base64url(std::span<const std::uint8_t> bytes);
std::optional<std::string> from_base64url(std::string_view text);

std::array<std::uint8_t, 32> sha256(std::span<const std::uint8_t> bytes);
std::array<std::uint8_t, 32> sha256(std::string_view bytes);

/// Fills `out` from the kernel's generator.
void fill_random(std::span<std::uint8_t> out);

/// An array of random bytes.
template <std::size_t size>
std::array<std::uint8_t, size> random_bytes() {
  std::array<std::uint8_t, size> out;
  fill_random(out);
  return out;
}

/// The bytes of a text, as libraries want them.
inline std::span<const std::uint8_t> as_u8(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

/// For mbedTLS's `f_rng` parameters: libsodium's generator, which is thread-safe and needs no
/// seeding of its own.
int random_for_mbedtls(void* unused, unsigned char* out, std::size_t size);

}  // namespace firebreak::identity
