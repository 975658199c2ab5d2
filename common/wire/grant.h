#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace firebreak::wire {

/// What a signed grant allows; the numbers are what is signed.
enum class GrantAction : std::uint8_t { reset = 1, release = 2, reset_release = 3 };

std::optional<GrantAction> grant_action(std::string_view text);

/// The bytes that the coordinator's Ed25519 reset key signs and the guard verifies:
/// "firebreak-grant-v1" NUL, challenge (32), action (1), generation (u32 big-endian), length of the
/// printer's name (1), name.
std::vector<std::uint8_t> grant_message(std::span<const std::uint8_t, 32> challenge,
                                        GrantAction action, std::uint32_t generation,
                                        std::string_view printer);

}  // namespace firebreak::wire
