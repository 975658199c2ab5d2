#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace firebreak::coordinator {

/// Bounds of a request's JSON. Building, copying and printing deeper trees recurses, and 100,000
/// levels end the process (nlohmann #5387).
inline constexpr std::size_t json_depth_max = 32;
inline constexpr std::size_t json_nodes_max = 10'000;

/// What the gate found wrong.
struct JsonRefusal {
  std::string pointer;  ///< Where, as a JSON pointer; empty for the whole text.
  std::string detail;
};

/// Parses `text` only after a pass that builds nothing has found it within the bounds, without
/// doubled keys, numbers beyond their type, or anything after the value.
tl::expected<nlohmann::json, JsonRefusal> parse_json(std::string_view text);

}  // namespace firebreak::coordinator
