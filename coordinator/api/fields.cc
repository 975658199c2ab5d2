#include "coordinator/api/fields.h"

#include <algorithm>

#include "coordinator/fleet/fleet_state.h"

namespace firebreak::coordinator {

using nlohmann::json;

bool is_name(std::string_view text) { return is_printer_name(text); }

std::optional<std::int64_t> parse_integer(std::string_view text) {
  if (text.empty() || text.size() > 18) return std::nullopt;
  std::int64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

Response field_problem(const Request& request, std::vector<FieldProblem> errors) {
  return problem(request, 400, "bad_field", "the request has wrong fields",
                 "see errors, and /api/v1/openapi.json for what each may be", std::move(errors));
}

Fields::Fields(const json& body) : body_(body) {
  if (!body_.is_object()) wrong("", "must be a JSON object");
}

const json* Fields::find(const char* name) {
  asked_.emplace_back(name);
  if (!body_.is_object()) return nullptr;
  const auto at = body_.find(name);
  if (at == body_.end() || at->is_null()) return nullptr;
  return &*at;
}

bool Fields::has(const char* name) const { return body_.is_object() && body_.contains(name); }

void Fields::require(const char* name) {
  if (body_.is_object() && (!body_.contains(name) || body_[name].is_null()))
    wrong("/" + std::string(name), "is missing");
}

void Fields::wrong(const std::string& pointer, std::string detail) {
  problems_.push_back({pointer, std::move(detail)});
}

std::optional<std::string> Fields::text(const char* name, std::size_t least, std::size_t most) {
  const json* value = find(name);
  if (value == nullptr) return std::nullopt;
  const std::string pointer = "/" + std::string(name);
  if (!value->is_string()) {
    wrong(pointer, "must be a text");
    return std::nullopt;
  }
  const auto& text = value->get_ref<const std::string&>();
  if (text.size() < least || text.size() > most) {
    wrong(pointer, "must have " + std::to_string(least) + " to " + std::to_string(most) + " bytes");
    return std::nullopt;
  }
  return text;
}

std::optional<std::string> Fields::agent_name(const char* name) {
  auto value = text(name, 1, 32);
  if (value && !is_name(*value)) {
    wrong("/" + std::string(name), "must be lower-case letters, digits and -, at most 32");
    return std::nullopt;
  }
  return value;
}

std::optional<std::int64_t> Fields::integer(const char* name, std::int64_t least,
                                            std::int64_t most) {
  const json* value = find(name);
  if (value == nullptr) return std::nullopt;
  const bool fits = value->is_number_integer() &&
                    !(value->is_number_unsigned() &&
                      value->get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX)) &&
                    value->get<std::int64_t>() >= least && value->get<std::int64_t>() <= most;
  if (!fits) {
    wrong("/" + std::string(name),
          "must be a whole number from " + std::to_string(least) + " to " + std::to_string(most));
    return std::nullopt;
  }
  return value->get<std::int64_t>();
}

std::optional<bool> Fields::boolean(const char* name) {
  const json* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_boolean()) return value->get<bool>();
  wrong("/" + std::string(name), "must be true or false");
  return std::nullopt;
}

std::optional<std::vector<std::string>> Fields::texts(const char* name, std::size_t most) {
  const json* value = find(name);
  if (value == nullptr) return std::nullopt;
  const std::string pointer = "/" + std::string(name);
  if (!value->is_array() || value->empty() || value->size() > most) {
    wrong(pointer, "must be a list of 1 to " + std::to_string(most) + " texts");
    return std::nullopt;
  }
  std::vector<std::string> out;
  for (std::size_t i = 0; i < value->size(); ++i) {
    if ((*value)[i].is_string()) {
      out.push_back((*value)[i].get<std::string>());
    } else {
      wrong(pointer + "/" + std::to_string(i), "must be a text");
    }
  }
  return out;
}

std::vector<FieldProblem> Fields::problems() {
  if (body_.is_object())
    for (const auto& [name, value] : body_.items())
      if (std::find(asked_.begin(), asked_.end(), name) == asked_.end())
        wrong("/" + name, "is not known here");
  return std::move(problems_);
}

std::optional<std::int64_t> Query::integer(const char* name, std::int64_t least,
                                           std::int64_t most) {
  asked_.emplace_back(name);
  const auto at = request_.query.find(name);
  if (at == request_.query.end()) return std::nullopt;
  const auto value = parse_integer(at->second);
  if (!value || *value < least || *value > most) {
    wrong(name,
          "must be a whole number from " + std::to_string(least) + " to " + std::to_string(most));
    return std::nullopt;
  }
  return value;
}

std::string Query::text(const char* name) {
  asked_.emplace_back(name);
  const auto at = request_.query.find(name);
  return at == request_.query.end() ? std::string() : at->second;
}

void Query::wrong(const char* name, std::string detail) {
  problems_.push_back({"?" + std::string(name), std::move(detail)});
}

std::vector<FieldProblem> Query::problems() {
  for (const auto& [name, value] : request_.query)
    if (std::find(asked_.begin(), asked_.end(), name) == asked_.end())
      wrong(name.c_str(), "is not known here");
  return std::move(problems_);
}

}  // namespace firebreak::coordinator
