#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace firebreak::config {

/// Turns an unquoted YAML scalar into a value, or says why it is refused: a number only in JSON's
/// spelling, a boolean only as true or false, else text, unless some YAML reader would take the
/// text for a number, a boolean, a time or nothing. Returns the reason, or nothing and `value`.
[[nodiscard]] std::optional<std::string> read_plain_scalar(std::string_view text,
                                                           nlohmann::json& value);

}  // namespace firebreak::config
