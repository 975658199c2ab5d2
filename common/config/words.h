#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace firebreak::config {

// How problems are worded. Module-private.

/// A value as a short, harmless text: "abc", 12, a list of 3 items.
[[nodiscard]] std::string show_value(const nlohmann::json& value);

/// The unit that a key's name ends in, in words ("milliseconds" for hold_ms); nothing else.
[[nodiscard]] std::optional<std::string_view> unit_of_key(std::string_view key);

/// The candidate that `name` was probably meant to be, if one is near enough.
[[nodiscard]] std::optional<std::string> nearest(std::string_view name,
                                                 const std::vector<std::string>& candidates);

/// "a, b or c", at most 24 of them.
[[nodiscard]] std::string one_of(const std::vector<std::string>& names);

}  // namespace firebreak::config
