#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace firebreak::coordinator {
struct MissedStop;
}

/// Careful reading of what an agent told: a field that is absent or of another type is unknown,
/// never an exception and never a zero.
namespace firebreak::coordinator::view {

using nlohmann::json;

inline const json* find(const json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto at = object.find(key);
  return at == object.end() ? nullptr : &*at;
}

inline std::string text_or_empty(const json& object, const char* key) {
  const json* value = find(object, key);
  return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

/// The value when it is of the wanted kind, else null.
json text(const json& object, const char* key);
json number(const json& object, const char* key);
json whole(const json& object, const char* key);
json boolean(const json& object, const char* key);
json array(const json& object, const char* key);   ///< Else an empty list.
json object(const json& object, const char* key);  ///< Else null.
json texts(const json& object, const char* key);   ///< Texts alone, escaped, at most 64.

/// An age that has grown since it was told; null when it was not known.
json aged(const json& object, const char* key, std::int64_t since_ms);

/// One printer of a status as openapi.json's Printer. `printer` is null when the status does not
/// name it; `age_ms` is the telemetry's age; `fresh` says whether it counts as the present;
/// `missed` is null when no stop missed it.
json printer(const std::string& agent, const std::string& name, const json* printer, bool connected,
             bool fresh, std::optional<std::int64_t> age_ms,
             std::optional<std::int64_t> last_seen_ms, const MissedStop* missed);

/// "was NOT stopped by stop …", or that its end is not known.
std::string missed_text(const MissedStop& missed);

/// Whether this status shows the printer latched, so that no stop is owed to it any more.
bool tells_stopped(const json& status, const std::string& printer);

}  // namespace firebreak::coordinator::view
