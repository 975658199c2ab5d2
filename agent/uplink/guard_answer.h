#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "common/base/result.h"

namespace firebreak::uplink {

/// A text field of an object; empty when it is missing or no text. (nlohmann's own value() throws
/// at a wrong type.)
inline std::string text_of(const nlohmann::json& object, const char* name) {
  if (!object.is_object()) return {};
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

/// The guard answered, and with "ok":true.
inline bool is_ok(const Result<nlohmann::json>& answer) {
  if (!answer || !answer->is_object()) return false;
  const auto found = answer->find("ok");
  return found != answer->end() && found->is_boolean() && found->get<bool>();
}

}  // namespace firebreak::uplink
