#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace firebreak::chain {

/// A SHA-256 value.
using Digest = std::array<std::uint8_t, 32>;
using Bytes = std::span<const std::uint8_t>;

/// SHA-256 of the parts, one after the other. Allocates nothing; any thread.
[[nodiscard]] Digest sha256(Bytes a, Bytes b = {}, Bytes c = {}) noexcept;

}  // namespace firebreak::chain
