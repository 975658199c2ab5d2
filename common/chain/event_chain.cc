#include "common/chain/event_chain.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "common/base/escape.h"
#include "common/base/hex.h"

namespace firebreak::chain {
namespace {

using nlohmann::json;

// Deepest record. Ours have 3 levels; the bound keeps hostile ones off the stack.
constexpr int depth_max = 16;

const char* unfit(const json& value, int depth) {
  if (depth > depth_max) return "it is nested too deeply";
  if (value.is_number_float() && !std::isfinite(value.get<double>())) {
    return "it has a number that is not finite";
  }
  if (value.is_string() && !is_utf8(value.get_ref<const std::string&>())) {
    return "it has a text that is not UTF-8";
  }
  if (value.is_binary()) return "it has raw bytes, which JSON cannot carry";
  if (!value.is_structured()) return nullptr;
  for (const auto& [key, item] : value.items()) {
    if (value.is_object() && !is_utf8(key)) return "it has a key that is not UTF-8";
    if (const char* why = unfit(item, depth + 1)) return why;
  }
  return nullptr;
}

}  // namespace

Result<std::vector<std::uint8_t>> canonical_bytes(const json& record) {
  if (!record.is_object()) return fail(ErrorCode::bad_input, "a record must be a JSON object");
  if (const char* why = unfit(record, 0)) {
    return fail(ErrorCode::bad_input, std::string("a record was refused: ") + why);
  }
  if (!record.contains("hash")) return json::to_cbor(record);
  json without = record;
  without.erase("hash");
  return json::to_cbor(without);
}

Digest next_hash(const Digest& previous, Bytes canonical) noexcept {
  return sha256(previous, canonical);
}

Result<void> EventVerifier::take(const json& event) {
  if (!event.is_object()) return fail(ErrorCode::bad_input, "an event must be a JSON object");
  const auto seq = event.find("seq");
  const auto hash = event.find("hash");
  if (seq == event.end() || !seq->is_number_integer() || hash == event.end() ||
      !hash->is_string()) {
    return fail(ErrorCode::bad_input, "an event needs a whole \"seq\" and a text \"hash\"");
  }
  // Compared in its own signedness, so that 2^63 and more cannot wrap into a valid number.
  if (*seq != json(seq_ + 1)) {
    return fail(ErrorCode::corrupt,
                "event " + seq->dump() + " came where " + std::to_string(seq_ + 1) + " was due");
  }
  auto canonical = canonical_bytes(event);
  if (!canonical) return fail(std::move(canonical.error()));
  const Digest next = next_hash(head_, *canonical);
  if (bytes_from_hex<32>(hash->get_ref<const std::string&>()) != next) {
    return fail(ErrorCode::corrupt, "event " + seq->dump() + " does not fit its hash");
  }
  head_ = next;
  ++seq_;
  return {};
}

}  // namespace firebreak::chain
