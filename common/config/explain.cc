#include "common/config/explain.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <regex>

#include "common/base/escape.h"
#include "common/config/words.h"
#include "common/config/yaml_reader.h"

namespace firebreak::config {
namespace {

using nlohmann::json;

// Our schemas refer at most this deep; a circle of references ends here.
constexpr int schema_depth_max = 64;

class Explainer {
 public:
  explicit Explainer(const json& root) : root_(root) {}

  std::vector<Problem> run(const json& schema, const json& value, const std::string& pointer) {
    std::vector<Problem> saved = std::exchange(problems_, {});
    visit(schema, value, pointer);
    return std::exchange(problems_, std::move(saved));
  }

 private:
  void add(const std::string& pointer, std::string what) {
    if (problems_.size() < problems_max) problems_.push_back({pointer, std::move(what)});
  }

  const json* resolve(const json& schema) const {
    const json* at = &schema;
    for (int i = 0; i < schema_depth_max && at->is_object() && at->contains("$ref"); ++i) {
      const std::string ref = at->at("$ref").get<std::string>();
      if (!ref.starts_with('#')) return nullptr;
      const json::json_pointer place(ref.substr(1));
      if (!root_.contains(place)) return nullptr;
      at = &root_.at(place);
    }
    return at;
  }

  void visit(const json& reference, const json& value, const std::string& pointer) {
    const json* schema = resolve(reference);
    if (schema == nullptr || ++depth_ > schema_depth_max) return;
    if (schema->is_boolean()) {
      if (!schema->get<bool>()) add(pointer, "is not allowed here; remove it");
    } else if (schema->is_object() && check_type(*schema, value, pointer)) {
      check_choice(*schema, value, pointer);
      if (value.is_number()) check_number(*schema, value, pointer);
      if (value.is_string()) check_text(*schema, value, pointer);
      if (value.is_array()) check_list(*schema, value, pointer);
      if (value.is_object()) check_map(*schema, value, pointer);
      check_combined(*schema, value, pointer);
    }
    --depth_;
  }

  static bool has_type(const std::string& type, const json& value) {
    if (type == "integer") return value.is_number_integer();
    if (type == "number") return value.is_number();
    if (type == "string") return value.is_string();
    if (type == "boolean") return value.is_boolean();
    if (type == "array") return value.is_array();
    if (type == "object") return value.is_object();
    return type == "null" && value.is_null();
  }

  static std::string type_words(const std::string& type, std::string_view key) {
    const auto unit = unit_of_key(key);
    const std::string in = unit ? " (" + std::string(*unit) + ")" : "";
    if (type == "integer") return "a whole number" + in;
    if (type == "number") return "a number" + in;
    if (type == "string") return "text";
    if (type == "boolean") return "true or false";
    if (type == "array") return "a list";
    if (type == "object") return "a map of keys";
    return "empty";
  }

  static std::string type_hint(const std::vector<std::string>& types, const json& value,
                               std::string_view key) {
    const auto wants = [&](const char* t) {
      return std::find(types.begin(), types.end(), t) != types.end();
    };
    if (wants("string") && (value.is_number() || value.is_boolean())) return "; put it in quotes";
    if ((wants("integer") || wants("number")) && value.is_string()) {
      const auto& text = value.get_ref<const std::string&>();
      if (!text.empty() && (std::isdigit(static_cast<unsigned char>(text[0])) != 0)) {
        return unit_of_key(key) ? "; write the number alone, the key's name says the unit"
                                : "; write the number alone, without a unit or quotes";
      }
    }
    if (wants("array") && !value.is_array()) return "; write each item after a \"- \"";
    return "";
  }

  static std::string last_key(const std::string& pointer) {
    return pointer.substr(pointer.rfind('/') + 1);
  }

  bool check_type(const json& schema, const json& value, const std::string& pointer) {
    const auto type = schema.find("type");
    if (type == schema.end()) return true;
    std::vector<std::string> types;
    if (type->is_string()) types.push_back(type->get<std::string>());
    if (type->is_array()) types = type->get<std::vector<std::string>>();
    std::vector<std::string> words;
    const std::string key = last_key(pointer);
    for (const std::string& t : types) {
      if (has_type(t, value)) return true;
      words.push_back(type_words(t, key));
    }
    add(pointer, "must be " + one_of(words) + ", is " + show_value(value) +
                     type_hint(types, value, key) + says(schema));
    return false;
  }

  // The schema's own sentence about the key, for the people who have to repair the file.
  static std::string says(const json& schema) {
    const auto text = schema.find("description");
    if (text == schema.end() || !text->is_string()) return "";
    return " (" + escape_untrusted(text->get_ref<const std::string&>(), 240) + ")";
  }

  void check_choice(const json& schema, const json& value, const std::string& pointer) {
    if (const auto only = schema.find("const"); only != schema.end() && *only != value) {
      add(pointer, "must be " + show_value(*only) + ", is " + show_value(value));
    }
    const auto choices = schema.find("enum");
    if (choices == schema.end() ||
        std::find(choices->begin(), choices->end(), value) != choices->end()) {
      return;
    }
    std::vector<std::string> shown;
    std::vector<std::string> names;
    for (const json& choice : *choices) {
      shown.push_back(choice.is_string() ? choice.get<std::string>() : show_value(choice));
      if (choice.is_string()) names.push_back(choice.get<std::string>());
    }
    std::string what = "must be " + one_of(shown) + ", is " + show_value(value);
    if (value.is_string()) {
      if (const auto meant = nearest(value.get_ref<const std::string&>(), names)) {
        what += "; did you mean " + *meant + "?";
      }
    }
    add(pointer, what);
  }

  void check_number(const json& schema, const json& value, const std::string& pointer) {
    const double x = value.get<double>();
    const auto limit = [&](const char* name) -> const json* {
      const auto at = schema.find(name);
      return at != schema.end() && at->is_number() ? &*at : nullptr;
    };
    const json* low = limit("minimum");
    const json* high = limit("maximum");
    const json* above = limit("exclusiveMinimum");
    const json* below = limit("exclusiveMaximum");
    const bool bad = (low && x < low->get<double>()) || (high && x > high->get<double>()) ||
                     (above && x <= above->get<double>()) || (below && x >= below->get<double>());
    if (bad) {
      std::vector<std::string> parts;
      if (low) parts.push_back("at least " + low->dump());
      if (above) parts.push_back("more than " + above->dump());
      if (high) parts.push_back("at most " + high->dump());
      if (below) parts.push_back("less than " + below->dump());
      const auto unit = unit_of_key(last_key(pointer));
      add(pointer, "must be " + parts[0] + (parts.size() > 1 ? " and " + parts[1] : "") +
                       (unit ? " " + std::string(*unit) : "") + ", is " + show_value(value) +
                       says(schema));
    }
    const json* step = limit("multipleOf");
    if (step && std::abs(std::remainder(x, step->get<double>())) > 1e-9) {
      add(pointer, "must be a multiple of " + step->dump() + ", is " + show_value(value));
    }
  }

  // Length in characters, as the standard counts it.
  static std::size_t characters(const std::string& text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
      return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
    }));
  }

  void check_text(const json& schema, const json& value, const std::string& pointer) {
    const auto& text = value.get_ref<const std::string&>();
    const std::size_t size = characters(text);
    const auto low = schema.find("minLength");
    const auto high = schema.find("maxLength");
    if (low != schema.end() && size < low->get<std::size_t>()) {
      add(pointer, size == 0 ? "must not be empty"
                             : "must have at least " + low->dump() + " characters, has " +
                                   std::to_string(size));
    }
    if (high != schema.end() && size > high->get<std::size_t>()) {
      add(pointer,
          "must have at most " + high->dump() + " characters, has " + std::to_string(size));
    }
    const auto pattern = schema.find("pattern");
    if (pattern != schema.end() &&
        !std::regex_search(text, std::regex(pattern->get<std::string>()))) {
      add(pointer, show_value(value) + " does not have the form " + pattern->get<std::string>() +
                       says(schema));
    }
  }

  void check_list(const json& schema, const json& value, const std::string& pointer) {
    const auto low = schema.find("minItems");
    const auto high = schema.find("maxItems");
    if (low != schema.end() && value.size() < low->get<std::size_t>()) {
      add(pointer, "must have at least " + low->dump() + " items, has " +
                       std::to_string(value.size()) + says(schema));
    }
    if (high != schema.end() && value.size() > high->get<std::size_t>()) {
      add(pointer,
          "must have at most " + high->dump() + " items, has " + std::to_string(value.size()));
    }
    const bool unique = schema.value("uniqueItems", false);
    const auto items = schema.find("items");
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (unique && std::find(value.begin(), value.begin() + static_cast<std::ptrdiff_t>(i),
                              value[i]) != value.begin() + static_cast<std::ptrdiff_t>(i)) {
        add(child_pointer(pointer, i), show_value(value[i]) + " is in the list twice");
      }
      if (items == schema.end()) continue;
      if (!items->is_array()) {
        visit(*items, value[i], child_pointer(pointer, i));
      } else if (i < items->size()) {
        visit((*items)[i], value[i], child_pointer(pointer, i));
      } else if (schema.contains("additionalItems")) {
        visit(schema["additionalItems"], value[i], child_pointer(pointer, i));
      }
    }
  }

  void check_map(const json& schema, const json& value, const std::string& pointer) {
    const json none = json::object();
    const auto found = schema.find("properties");
    const json& properties = found != schema.end() ? *found : none;
    if (schema.contains("required")) {
      for (const json& key : schema["required"]) {
        const auto& name = key.get_ref<const std::string&>();
        if (value.contains(name)) continue;
        const auto property = properties.find(name);
        const json* described = property != properties.end() ? resolve(*property) : nullptr;
        add(pointer, "the key " + name + " is missing" +
                         (described && described->is_object() ? says(*described) : ""));
      }
    }
    for (const auto& [key, item] : value.items()) {
      const std::string place = child_pointer(pointer, key);
      if (schema.contains("propertyNames") && !run(schema["propertyNames"], key, place).empty()) {
        add(place, "is not a name that is allowed here" + says(schema["propertyNames"]));
      }
      check_member(schema, properties, key, item, place);
    }
    if (schema.contains("maxProperties") &&
        value.size() > schema["maxProperties"].get<std::size_t>()) {
      add(pointer, "must have at most " + schema["maxProperties"].dump() + " keys, has " +
                       std::to_string(value.size()));
    }
    if (schema.contains("minProperties") &&
        value.size() < schema["minProperties"].get<std::size_t>()) {
      add(pointer, "must have at least " + schema["minProperties"].dump() + " keys");
    }
  }

  void check_member(const json& schema, const json& properties, const std::string& key,
                    const json& item, const std::string& place) {
    bool known = false;
    if (const auto property = properties.find(key); property != properties.end()) {
      known = true;
      visit(*property, item, place);
    }
    if (schema.contains("patternProperties")) {
      for (const auto& [pattern, sub] : schema["patternProperties"].items()) {
        if (!std::regex_search(key, std::regex(pattern))) continue;
        known = true;
        visit(sub, item, place);
      }
    }
    const auto others = schema.find("additionalProperties");
    if (known || others == schema.end()) return;
    if (others->is_boolean() && !others->get<bool>()) {
      unknown_key(properties, key, place);
    } else {
      visit(*others, item, place);
    }
  }

  void unknown_key(const json& properties, const std::string& key, const std::string& place) {
    std::vector<std::string> names;
    for (const auto& [name, sub] : properties.items()) names.push_back(name);
    std::string what = "is not a known key";
    const auto meant = nearest(key, names);
    what += meant ? "; did you mean " + *meant + "?" : ".";
    if (meant) {
      if (const auto unit = unit_of_key(*meant); unit && unit != unit_of_key(key)) {
        what += " It is in " + std::string(*unit) + ".";
      }
    }
    if (!names.empty()) what += " Allowed here: " + one_of(names);
    add(place, what);
  }

  void check_combined(const json& schema, const json& value, const std::string& pointer) {
    if (schema.contains("allOf")) {
      for (const json& each : schema["allOf"]) visit(each, value, pointer);
    }
    for (const char* word : {"anyOf", "oneOf"}) {
      if (schema.contains(word)) check_alternatives(schema[word], word, value, pointer);
    }
    if (schema.contains("not") && run(schema["not"], value, pointer).empty()) {
      add(pointer, show_value(value) + " is not allowed here" + says(schema["not"]));
    }
    if (schema.contains("if")) {
      const char* branch = run(schema["if"], value, pointer).empty() ? "then" : "else";
      if (schema.contains(branch)) visit(schema[branch], value, pointer);
    }
  }

  // Of several forms, the one that comes nearest is explained.
  void check_alternatives(const json& forms, std::string_view word, const json& value,
                          const std::string& pointer) {
    std::vector<Problem> best;
    std::size_t fits = 0;
    std::size_t best_cost = SIZE_MAX;
    for (const json& form : forms) {
      std::vector<Problem> problems = run(form, value, pointer);
      if (problems.empty()) ++fits;
      const std::size_t cost = problems.size() + 100 * wrong_kind(form, value);
      if (cost < best_cost) {
        best_cost = cost;
        best = std::move(problems);
      }
    }
    if (fits == 0) {
      for (Problem& problem : best) add(problem.pointer, std::move(problem.what));
    } else if (fits > 1 && word == "oneOf") {
      add(pointer, "fits more than one of the allowed forms; leave out what does not belong");
    }
  }

  // A form that names its kind (a constant, or another type) is not meant when that differs.
  std::size_t wrong_kind(const json& reference, const json& value) const {
    const json* form = resolve(reference);
    if (form == nullptr || !form->is_object()) return 0;
    if (form->contains("type") && (*form)["type"].is_string() &&
        !has_type((*form)["type"].get<std::string>(), value)) {
      return 2;
    }
    if (form->contains("const") && (*form)["const"].type() != value.type()) return 2;
    if (!value.is_object() || !form->contains("properties")) return 0;
    for (const auto& [key, sub] : (*form)["properties"].items()) {
      if (sub.is_object() && sub.contains("const") && value.contains(key) &&
          value[key] != sub["const"]) {
        return 1;
      }
    }
    return 0;
  }

  const json& root_;
  std::vector<Problem> problems_;
  int depth_ = 0;
};

}  // namespace

std::vector<Problem> explain(const json& schema, const json& value) {
  return Explainer(schema).run(schema, value, "");
}

std::string people_path(std::string_view pointer) {
  if (pointer.empty()) return "the file";
  std::string out;
  pointer.remove_prefix(1);
  while (true) {
    const std::size_t end = std::min(pointer.find('/'), pointer.size());
    std::string part(pointer.substr(0, end));
    for (std::size_t at = part.find("~1"); at != std::string::npos; at = part.find("~1")) {
      part.replace(at, 2, "/");
    }
    for (std::size_t at = part.find("~0"); at != std::string::npos; at = part.find("~0", at + 1)) {
      part.replace(at, 2, "~");
    }
    const bool index = !part.empty() && part.find_first_not_of("0123456789") == std::string::npos;
    if (index) {
      out += '[' + part + ']';
    } else {
      out += (out.empty() ? "" : ".") + escape_untrusted(part, 60);
    }
    if (end == pointer.size()) return out;
    pointer.remove_prefix(end + 1);
  }
}

}  // namespace firebreak::config
