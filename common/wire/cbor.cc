#include "common/wire/cbor.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <unordered_set>
#include <vector>

namespace firebreak::wire {
namespace {

using nlohmann::json;

/// Whether a text is well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates).
bool is_utf8(std::string_view text) {
  std::size_t i = 0;
  while (i < text.size()) {
    const auto lead = static_cast<unsigned char>(text[i]);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    const std::size_t more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    if (lead < 0xc2 || lead > 0xf4 || text.size() - i <= more) return false;
    for (std::size_t k = 1; k <= more; ++k) {
      if ((static_cast<unsigned char>(text[i + k]) & 0xc0) != 0x80) return false;
    }
    const auto second = static_cast<unsigned char>(text[i + 1]);
    if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) ||
        (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f)) {
      return false;
    }
    i += more + 1;
  }
  return true;
}

/// Walks a message without building it, and says no at the first thing that breaks a bound.
class Gate final : public nlohmann::json_sax<json> {
 public:
  explicit Gate(CborLimits limits) : limits_(limits) {}

  [[nodiscard]] const std::string& reason() const { return reason_; }

  bool null() override { return node(); }
  bool boolean(bool /*value*/) override { return node(); }
  bool number_integer(number_integer_t /*value*/) override { return node(); }
  bool number_unsigned(number_unsigned_t /*value*/) override { return node(); }
  bool number_float(number_float_t value, const string_t& /*text*/) override {
    return std::isfinite(value) ? node() : no("a number is not finite");
  }
  bool string(string_t& value) override {
    return is_utf8(value) ? node() : no("a text is not UTF-8");
  }
  bool binary(binary_t& /*value*/) override {
    return open_.size() == 1 ? node() : no("bytes where none belong");
  }
  bool start_object(std::size_t /*size*/) override { return enter(true); }
  bool key(string_t& value) override {
    if (!is_utf8(value)) return no("a key is not UTF-8");
    if (!open_.back().insert(value).second) return no("a key comes twice");
    return node();
  }
  bool end_object() override { return leave(); }
  bool start_array(std::size_t /*size*/) override { return enter(false); }
  bool end_array() override { return leave(); }
  bool parse_error(std::size_t position, const std::string& /*token*/,
                   const nlohmann::detail::exception& /*e*/) override {
    return no(fmt::format("broken at byte {}", position));
  }

 private:
  bool no(std::string reason) {
    if (reason_.empty()) reason_ = std::move(reason);
    return false;
  }
  bool node() {
    if (open_.empty()) return no("not a map");
    return ++nodes_ <= limits_.nodes || no(fmt::format("more than {} values", limits_.nodes));
  }
  bool enter(bool object) {
    if (open_.empty() && !object) return no("not a map");
    if (open_.size() >= limits_.depth) return no(fmt::format("deeper than {}", limits_.depth));
    open_.emplace_back();
    return ++nodes_ <= limits_.nodes || no(fmt::format("more than {} values", limits_.nodes));
  }
  bool leave() {
    open_.pop_back();
    return true;
  }

  const CborLimits limits_;
  std::size_t nodes_ = 0;
  std::vector<std::unordered_set<std::string>> open_;
  std::string reason_;
};

/// Walks the heads of all items, one after the other, and refuses indefinite lengths and tags:
/// nobody of ours writes them, and nlohmann recurses once for each nested indefinite string, which
/// a megabyte of 0x7f turns into a dead stack before any gate is asked.
Result<void> check_heads(std::string_view bytes) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    const auto head = static_cast<unsigned char>(bytes[at++]);
    const unsigned major = head >> 5;
    const unsigned info = head & 31;
    if (info > 27 || major == 6) {
      return fail(ErrorCode::bad_input, fmt::format("message: a tag, an indefinite length or a "
                                                    "reserved head at byte {}",
                                                    at - 1));
    }
    const std::size_t more = info < 24 ? 0 : std::size_t{1} << (info - 24);
    if (more > bytes.size() - at) return fail(ErrorCode::bad_input, "message: cut short");
    std::uint64_t value = info;
    if (more > 0) value = 0;
    for (std::size_t i = 0; i < more; ++i) {
      value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
    }
    at += more;
    if (major != 2 && major != 3) continue;
    if (value > bytes.size() - at) return fail(ErrorCode::bad_input, "message: cut short");
    at += value;
  }
  return {};
}

Result<json> parse(std::string_view bytes, CborLimits limits, json::input_format_t format) {
  const char* name = format == json::input_format_t::cbor ? "message: " : "line: ";
  try {
    Gate gate(limits);
    if (!json::sax_parse(bytes.begin(), bytes.end(), &gate, format)) {
      return fail(ErrorCode::bad_input,
                  name + (gate.reason().empty() ? std::string("broken") : gate.reason()));
    }
    json value = format == json::input_format_t::cbor
                     ? json::from_cbor(bytes.begin(), bytes.end(), true, false)
                     : json::parse(bytes.begin(), bytes.end(), nullptr, false);
    if (value.is_object()) return value;
  } catch (const std::exception& e) {
    return fail(ErrorCode::bad_input, std::string(name) + e.what());
  }
  return fail(ErrorCode::bad_input, std::string(name) + "not a map");
}

}  // namespace

Result<json> parse_cbor(std::string_view bytes, CborLimits limits) {
  if (auto heads = check_heads(bytes); !heads) return fail(heads.error());
  return parse(bytes, limits, json::input_format_t::cbor);
}

Result<json> parse_json(std::string_view text, CborLimits limits) {
  return parse(text, limits, json::input_format_t::json);
}

}  // namespace firebreak::wire
