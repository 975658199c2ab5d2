#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "coordinator/api/http.h"

namespace firebreak::coordinator {

/// True for a name of an agent or a printer: [a-z0-9][a-z0-9-]{0,31}.
bool is_name(std::string_view text);

/// Reads the fields of a JSON body by name and type, and gathers what is wrong with a pointer to
/// each. Ask for every field first, then look at problems().
class Fields {
 public:
  explicit Fields(const nlohmann::json& body);

  /// Each gives nothing when the field is absent, null or wrong; a wrong one is noted.
  std::optional<std::string> text(const char* name, std::size_t least, std::size_t most);
  std::optional<std::string> agent_name(const char* name);
  std::optional<std::int64_t> integer(const char* name, std::int64_t least, std::int64_t most);
  std::optional<bool> boolean(const char* name);
  std::optional<std::vector<std::string>> texts(const char* name, std::size_t most);

  [[nodiscard]] bool has(const char* name) const;
  /// Notes that the field is missing when it is.
  void require(const char* name);
  void wrong(const std::string& pointer, std::string detail);

  /// Everything wrong, unknown fields too. Call last.
  std::vector<FieldProblem> problems();

 private:
  const nlohmann::json* find(const char* name);

  const nlohmann::json& body_;
  std::vector<std::string> asked_;
  std::vector<FieldProblem> problems_;
};

/// The same for query parameters; the pointer is `?name`.
class Query {
 public:
  explicit Query(const Request& request) : request_(request) {}
  std::optional<std::int64_t> integer(const char* name, std::int64_t least, std::int64_t most);
  std::string text(const char* name);
  void wrong(const char* name, std::string detail);
  std::vector<FieldProblem> problems();

 private:
  const Request& request_;
  std::vector<std::string> asked_;
  std::vector<FieldProblem> problems_;
};

/// Digits alone, at most 18 of them.
std::optional<std::int64_t> parse_integer(std::string_view text);

/// 400 with errors[].
Response field_problem(const Request& request, std::vector<FieldProblem> errors);

}  // namespace firebreak::coordinator
