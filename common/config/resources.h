#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace firebreak::config {

/// One file of the repository that was built into the program.
struct Resource {
  std::string_view name;  ///< Path from the repository's root: "schemas/guard.schema.json".
  std::string_view text;
};

/// Every embedded file (schemas/*.json, boards/**.yaml), sorted by name. Static storage.
[[nodiscard]] std::span<const Resource> resources() noexcept;

/// The text of one embedded file, or nothing when there is none of that name.
[[nodiscard]] std::optional<std::string_view> resource(std::string_view name) noexcept;

}  // namespace firebreak::config
