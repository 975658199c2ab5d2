#include "agent/guard/blackbox/event_json.h"

#include <time.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "common/base/escape.h"

namespace firebreak::guard {
namespace {

using nlohmann::json;

// Deepest data of an event; the canonical bytes allow little more.
constexpr int data_depth_max = 8;

bool is_plain(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return false;
  }
  return is_utf8(text);
}

// Cutting at a fixed size may leave the beginning of a character.
std::string_view without_cut_character(std::string_view text) {
  for (int i = 0; i < 3 && !text.empty() && !is_utf8(text); ++i) {
    const auto last = static_cast<unsigned char>(text.back());
    if (last < 0x80) break;
    text.remove_suffix(1);
    if (last >= 0xC0) break;
  }
  return text;
}

std::string clean(std::string_view text) {
  text = without_cut_character(text);
  return is_plain(text) ? std::string(text) : escape_untrusted(text, text.size() * 4);
}

bool fits(const json& value, int depth) {
  if (value.is_string()) return is_plain(value.get_ref<const std::string&>());
  if (value.is_number_float()) return std::isfinite(value.get<double>());
  if (!value.is_structured()) return true;
  if (depth >= data_depth_max) return false;
  for (const auto& [key, item] : value.items()) {
    if ((value.is_object() && !is_plain(key)) || !fits(item, depth + 1)) return false;
  }
  return true;
}

json data_of(const BlackBoxRecord& record) {
  json data = json::object();
  const std::string_view text(record.data.data(), record.data_size);
  if (!text.empty()) {
    json parsed = json::parse(text, nullptr, false);
    if (parsed.is_object() && fits(parsed, 0)) {
      data = std::move(parsed);
    } else {
      data["raw"] = clean(text);
    }
  }
  for (std::size_t i = 0; i < record.number_count; ++i) {
    const auto& number = record.numbers[i];
    if ((record.real_mask >> i & 1) == 0) {
      data[record.keys[i]] = number.integer;
    } else if (std::isfinite(number.real)) {
      data[record.keys[i]] = number.real;
    } else {
      data[record.keys[i]] = nullptr;
    }
  }
  return data;
}

}  // namespace

std::string rfc3339(std::int64_t wall_ms) {
  const time_t seconds = static_cast<time_t>(wall_ms >= 0 ? wall_ms / 1000 : 0);
  tm utc{};
  gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900,
                     utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                     wall_ms >= 0 ? wall_ms % 1000 : 0);
}

json to_event(const BlackBoxRecord& record, const std::string& boot_id,
              const std::vector<BlackBoxPrinter>& printers) {
  json event = {{"boot", boot_id},
                {"mono_ms", record.mono_ns / 1'000'000},
                {"wall", nullptr},
                {"kind", to_string(record.kind)},
                {"severity", to_string(record.severity)},
                {"printer", nullptr},
                {"text", clean({record.text.data(), record.text_size})},
                {"data", data_of(record)}};
  if (record.wall_ms > 0) event["wall"] = rfc3339(record.wall_ms);
  if (record.printer >= 0) {
    const auto index = static_cast<std::size_t>(record.printer);
    if (index < printers.size()) {
      event["printer"] = printers[index].name;
    } else {
      event["data"]["printer_index"] = record.printer;
    }
  }
  return event;
}

}  // namespace firebreak::guard
