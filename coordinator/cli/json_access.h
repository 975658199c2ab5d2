#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace firebreak::cli {

/// Tolerant reading of what another process sent: a missing field, a null and a wrong type are all
/// "not known". None of these throws.
inline const nlohmann::json& field(const nlohmann::json& object, const char* name) {
  static const nlohmann::json nothing;
  if (!object.is_object()) return nothing;
  const auto found = object.find(name);
  return found == object.end() ? nothing : *found;
}
inline std::string text_of(const nlohmann::json& object, const char* name) {
  const auto& value = field(object, name);
  return value.is_string() ? value.get<std::string>() : std::string{};
}
inline std::optional<double> number_of(const nlohmann::json& object, const char* name) {
  const auto& value = field(object, name);
  if (!value.is_number()) return std::nullopt;
  return value.get<double>();
}
inline std::optional<std::int64_t> whole_of(const nlohmann::json& object, const char* name) {
  const auto& value = field(object, name);
  if (!value.is_number_integer()) return std::nullopt;
  return value.get<std::int64_t>();
}
inline bool flag_of(const nlohmann::json& object, const char* name) {
  const auto& value = field(object, name);
  return value.is_boolean() && value.get<bool>();
}
/// The elements of a list field; an empty list when it is none.
inline const nlohmann::json& list_of(const nlohmann::json& object, const char* name) {
  static const nlohmann::json empty = nlohmann::json::array();
  const auto& value = field(object, name);
  return value.is_array() ? value : empty;
}

}  // namespace firebreak::cli
