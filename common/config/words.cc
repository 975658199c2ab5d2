#include "common/config/words.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/escape.h"

namespace firebreak::config {
namespace {

// Names longer than this are not worth a table of distances.
constexpr std::size_t name_bytes_max = 64;

// Levenshtein distance with neighbours swapped counted as one.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t same = a[i - 1] == b[j - 1] ? 0 : 1;
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + same});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
      }
    }
  }
  return d[a.size()][b.size()];
}

std::string_view without_unit(std::string_view name) {
  if (!unit_of_key(name)) return name;
  return name.substr(0, name.rfind('_'));
}

}  // namespace

std::string show_value(const nlohmann::json& value) {
  if (value.is_string()) {
    return '"' + escape_untrusted(value.get_ref<const std::string&>(), 60) + '"';
  }
  if (value.is_array()) return "a list of " + std::to_string(value.size());
  if (value.is_object()) return "a map of " + std::to_string(value.size()) + " keys";
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::optional<std::string_view> unit_of_key(std::string_view key) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 18> units{{
      {"_ms", "milliseconds"},
      {"_s", "seconds"},
      {"_seconds", "seconds"},
      {"_minutes", "minutes"},
      {"_hours", "hours"},
      {"_days", "days"},
      {"_celsius", "degrees Celsius"},
      {"_kelvin", "kelvin"},
      {"_k_per_s", "kelvin per second"},
      {"_watts", "watts"},
      {"_volts", "volts"},
      {"_amperes", "amperes"},
      {"_ohms", "ohms"},
      {"_hz", "hertz"},
      {"_mm", "millimetres"},
      {"_bytes", "bytes"},
      {"_kib", "KiB"},
      {"_mib", "MiB"},
  }};
  for (const auto& [suffix, words] : units) {
    if (key.size() >= suffix.size() && key.ends_with(suffix)) return words;
  }
  return std::nullopt;
}

std::optional<std::string> nearest(std::string_view name,
                                   const std::vector<std::string>& candidates) {
  if (name.empty() || name.size() > name_bytes_max) return std::nullopt;
  std::optional<std::string> best;
  std::size_t best_distance = std::max<std::size_t>(1, name.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > name_bytes_max) continue;
    // The same word with another unit (hold_s for hold_ms) is the likeliest slip of all.
    const bool other_unit = without_unit(name) == without_unit(candidate);
    const std::size_t d = other_unit ? 0 : distance(name, candidate);
    if (d < best_distance) {
      best_distance = d;
      best = candidate;
    }
  }
  return best;
}

std::string one_of(const std::vector<std::string>& names) {
  constexpr std::size_t listed_max = 24;
  std::string out;
  for (std::size_t i = 0; i < names.size() && i < listed_max; ++i) {
    if (i > 0) out += i + 1 == names.size() ? " or " : ", ";
    out += names[i];
  }
  if (names.size() > listed_max) out += ", …";
  return out;
}

}  // namespace firebreak::config
