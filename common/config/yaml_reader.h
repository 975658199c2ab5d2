#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace firebreak::config {

/// What one YAML text holds, before any schema. Module-private.
struct YamlTree {
  struct Finding {
    int line;
    std::string pointer;
    std::string what;
  };
  nlohmann::json value;
  std::map<std::string, int, std::less<>> lines;  ///< JSON pointer → line, from 1.
  std::set<std::string, std::less<>> refused;     ///< Pointers whose value has a finding.
  std::vector<Finding> findings;
  bool complete = true;  ///< false: reading stopped early, a schema has nothing to say.
};

/// Reads one document with every ambiguity of YAML refused. Never throws.
[[nodiscard]] YamlTree read_yaml(std::string_view text);

/// `parent`/`key` with ~ and / escaped (RFC 6901).
[[nodiscard]] std::string child_pointer(std::string_view parent, std::string_view key);
[[nodiscard]] std::string child_pointer(std::string_view parent, std::size_t index);

}  // namespace firebreak::config
