// The one translation unit that sees valijson. Without the macro it would end the process where a
// schema is wrong.
#define VALIJSON_USE_EXCEPTIONS 1
#include <nlohmann/json.hpp>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

#include "common/base/escape.h"
#include "common/config/config.h"
#include "common/config/explain.h"
#include "common/config/yaml_reader.h"

namespace firebreak::config {

using nlohmann::json;

struct Schema::Parts {
  json text;
  valijson::Schema compiled;
};

namespace {

// valijson matches patterns with std::regex, whose stack grows with the text: longer text is
// refused before it gets there. The longest field of ours is a reason of 500 characters; enrolment
// requests (PEM) are below 4 KiB.
constexpr std::size_t text_bytes_max = 16 * 1024;
constexpr int value_depth_max = 64;

// Bounds that hold before any schema; recursion is bounded by its own check.
void check_bounds(const json& value, const std::string& pointer, int depth,
                  std::vector<Problem>& problems) {
  if (problems.size() >= problems_max) return;
  if (depth > value_depth_max) {
    problems.push_back({pointer, "is nested deeper than " + std::to_string(value_depth_max)});
  } else if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    if (text.size() > text_bytes_max) {
      problems.push_back({pointer, "is a text of " + std::to_string(text.size()) +
                                       " bytes; at most " + std::to_string(text_bytes_max)});
    }
  } else if (value.is_array()) {
    for (std::size_t i = 0; i < value.size(); ++i) {
      check_bounds(value[i], child_pointer(pointer, i), depth + 1, problems);
    }
  } else if (value.is_object()) {
    for (const auto& [key, item] : value.items()) {
      check_bounds(item, child_pointer(pointer, key.substr(0, 64)), depth + 1, problems);
    }
  }
}

// What valijson itself says, for rules that explain() does not know. Its context is a path like
// <root>[printers][0]; only the innermost finding, which comes first, is of use.
Problem first_finding(valijson::ValidationResults& results) {
  valijson::ValidationResults::Error error;
  std::string pointer;
  if (!results.popError(error)) return {"", "is not valid"};
  for (std::size_t i = 1; i < error.context.size(); ++i) {
    std::string part = error.context[i];
    if (part.size() >= 2 && part.front() == '[') part = part.substr(1, part.size() - 2);
    pointer = child_pointer(pointer, part);
  }
  return {pointer, escape_untrusted(error.description)};
}

}  // namespace

Result<Schema> Schema::compile(std::string_view schema_json) try {
  auto parts = std::make_shared<Parts>();
  parts->text = json::parse(schema_json, nullptr, false);
  if (parts->text.is_discarded()) {
    return fail(ErrorCode::internal, "a built-in schema is not JSON");
  }
  valijson::SchemaParser parser;
  parser.populateSchema(valijson::adapters::NlohmannJsonAdapter(parts->text), parts->compiled);
  Schema schema;
  schema.parts_ = std::move(parts);
  return schema;
} catch (const std::exception& error) {
  return fail(ErrorCode::internal, std::string("a built-in schema is wrong: ") + error.what());
}

std::vector<Problem> Schema::check(const json& value) const try {
  std::vector<Problem> problems;
  check_bounds(value, "", 0, problems);
  if (!problems.empty()) return problems;
  valijson::Validator validator(valijson::Validator::kStrongTypes);
  valijson::ValidationResults results;
  if (validator.validate(parts_->compiled, valijson::adapters::NlohmannJsonAdapter(value),
                         &results)) {
    return problems;
  }
  problems = explain(parts_->text, value);
  if (problems.empty()) problems.push_back(first_finding(results));
  return problems;
} catch (const std::exception& error) {
  return {{"", std::string("could not be checked: ") + escape_untrusted(error.what())}};
}

}  // namespace firebreak::config
