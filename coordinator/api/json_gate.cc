#include "coordinator/api/json_gate.h"

#include <nlohmann/json.hpp>
#include <set>
#include <vector>

namespace firebreak::coordinator {
namespace {

using nlohmann::json;

/// Listens to the parser and stops it (returns false) at the first thing out of bounds.
class Gate final : public json::json_sax_t {
 public:
  JsonRefusal refusal;

  bool null() override { return node(); }
  bool boolean(bool) override { return node(); }
  bool number_integer(number_integer_t) override { return node(); }
  bool number_unsigned(number_unsigned_t) override { return node(); }
  bool number_float(number_float_t, const string_t& text) override {
    // An integer that fits no 64 bits arrives here; quietly losing its digits would be a lie.
    if (text.find_first_of(".eE") == std::string::npos)
      return refuse("the number does not fit 64 bits");
    return node();
  }
  bool string(string_t&) override { return node(); }
  bool binary(binary_t&) override { return refuse("binary is not JSON"); }
  bool start_object(std::size_t) override { return node() && push(true); }
  bool start_array(std::size_t) override { return node() && push(false); }
  bool end_object() override { return pop(); }
  bool end_array() override { return pop(); }

  bool key(string_t& name) override {
    Level& level = levels_.back();
    level.name = name;
    if (!level.names.insert(name).second) return refuse("the key stands twice");
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const json::exception&) override {
    if (refusal.detail.empty())
      refusal = {pointer(), "not JSON at byte " + std::to_string(position)};
    return false;
  }

 private:
  struct Level {
    bool object = false;
    std::size_t next = 0;
    std::string name;
    std::set<std::string> names;
  };

  bool node() {
    if (!levels_.empty() && !levels_.back().object) ++levels_.back().next;
    if (++nodes_ > json_nodes_max) return refuse("more than 10000 values");
    return true;
  }
  bool push(bool object) {
    if (levels_.size() >= json_depth_max) return refuse("nested deeper than 32 levels");
    levels_.push_back({object, 0, {}, {}});
    return true;
  }
  bool pop() {
    levels_.pop_back();
    return true;
  }
  bool refuse(std::string detail) {
    refusal = {pointer(), std::move(detail)};
    return false;
  }
  [[nodiscard]] std::string pointer() const {
    std::string out;
    for (const Level& level : levels_) {
      if (!level.object && level.next == 0) break;
      if (level.object && level.names.empty()) break;
      out += '/';
      if (!level.object) {
        out += std::to_string(level.next - 1);
        continue;
      }
      for (const char c : level.name) out += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
    }
    return out.substr(0, 256);
  }

  std::vector<Level> levels_;
  std::size_t nodes_ = 0;
};

}  // namespace

tl::expected<json, JsonRefusal> parse_json(std::string_view text) {
  Gate gate;
  if (!json::sax_parse(text, &gate, json::input_format_t::json, true)) {
    if (gate.refusal.detail.empty()) gate.refusal.detail = "not JSON";
    return tl::unexpected(gate.refusal);
  }
  json value = json::parse(text, nullptr, false);
  if (value.is_discarded()) return tl::unexpected(JsonRefusal{"", "not JSON"});
  return value;
}

}  // namespace firebreak::coordinator
