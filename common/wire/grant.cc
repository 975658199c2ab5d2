#include "common/wire/grant.h"

namespace firebreak::wire {

std::optional<GrantAction> grant_action(std::string_view text) {
  if (text == "reset") return GrantAction::reset;
  if (text == "release") return GrantAction::release;
  if (text == "reset_release") return GrantAction::reset_release;
  return std::nullopt;
}

std::vector<std::uint8_t> grant_message(std::span<const std::uint8_t, 32> challenge,
                                        GrantAction action, std::uint32_t generation,
                                        std::string_view printer) {
  static constexpr std::string_view domain{"firebreak-grant-v1\0", 19};
  std::vector<std::uint8_t> out;
  out.reserve(domain.size() + challenge.size() + 1 + 4 + 1 + printer.size());
  out.insert(out.end(), domain.begin(), domain.end());
  out.insert(out.end(), challenge.begin(), challenge.end());
  out.push_back(static_cast<std::uint8_t>(action));
  for (int shift = 24; shift >= 0; shift -= 8) {
    out.push_back(static_cast<std::uint8_t>(generation >> shift));
  }
  out.push_back(static_cast<std::uint8_t>(printer.size()));
  out.insert(out.end(), printer.begin(), printer.end());
  return out;
}

}  // namespace firebreak::wire
