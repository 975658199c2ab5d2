#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace firebreak {

/// Lower-case hexadecimal of `bytes`.
[[nodiscard]] std::string to_hex(std::span<const std::uint8_t> bytes);

/// Fills `out` from exactly 2 × out.size() hexadecimal digits of either case; false (and `out`
/// undefined) for anything else.
[[nodiscard]] bool from_hex(std::string_view hex, std::span<std::uint8_t> out) noexcept;

/// The N bytes that `hex` spells, or nothing when it is not exactly 2 × N hexadecimal digits.
template <std::size_t N>
[[nodiscard]] std::optional<std::array<std::uint8_t, N>> bytes_from_hex(
    std::string_view hex) noexcept {
  std::array<std::uint8_t, N> out{};
  if (!from_hex(hex, out)) return std::nullopt;
  return out;
}

}  // namespace firebreak
