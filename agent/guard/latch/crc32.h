#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace firebreak::guard {

/// CRC-32 (ISO 3309, reflected, as in IEEE 802.3 and zlib) of `size` bytes. Finds torn and
/// bit-rotten records; it is no protection against a person.
inline std::uint32_t crc32(const void* data, std::size_t size) noexcept {
  static constexpr auto table = [] {
    std::array<std::uint32_t, 256> entries{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t value = i;
      for (int k = 0; k < 8; ++k) value = (value & 1U) ? 0xEDB88320U ^ (value >> 1) : value >> 1;
      entries[i] = value;
    }
    return entries;
  }();
  const auto* bytes = static_cast<const unsigned char*>(data);
  std::uint32_t crc = 0xFFFFFFFFU;
  for (std::size_t i = 0; i < size; ++i) crc = table[(crc ^ bytes[i]) & 0xFFU] ^ (crc >> 8);
  return ~crc;
}

}  // namespace firebreak::guard
