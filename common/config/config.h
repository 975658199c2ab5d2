#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace firebreak::config {

/// Largest configuration file. A farm of 100 printers is about 20 KiB.
inline constexpr std::size_t file_bytes_max = 1024 * 1024;
/// Deepest nesting of a configuration file; the schemas need 6.
inline constexpr int depth_max = 32;
/// Most problems that one report lists.
inline constexpr std::size_t problems_max = 20;

/// One YAML file that was read, checked and turned into JSON, with the line of every value.
/// Immutable and cheap to copy; any thread may read it.
class Document {
 public:
  /// The values. Only null-free: YAML's empty values were refused.
  [[nodiscard]] const nlohmann::json& value() const noexcept;

  /// The file's name as it was given.
  [[nodiscard]] const std::string& file() const noexcept;

  /// The line (from 1) of the value at a JSON pointer such as "/printers/0/port"; for a value that
  /// is not in the file, the line of its nearest parent that is.
  [[nodiscard]] int line_of(std::string_view pointer) const;

  /// A bad_input error "file:line: printers[0].port: `what`", for checks that no schema can make.
  [[nodiscard]] Error error_at(std::string_view pointer, std::string_view what) const;

 private:
  friend class DocumentBuilder;
  struct Parts;
  std::shared_ptr<const Parts> parts_;
};

/// Reads one YAML file and validates it against a JSON Schema (draft 7, text).
/// Refuses, as one bad_input error whose message has a line "file:line: where: what" for each
/// problem (at most `problems_max`): a missing or too large file, more than one document, unknown
/// keys (with the nearest name), doubled keys, anchors, aliases, tags, merge keys, empty values, a
/// wrong type, unit or range (with what is allowed), and plain values that YAML readers take for
/// something else (010, no, 1:30, ~, 1_000): those must be quoted or written plainly.
/// A plain value is a number only in JSON's spelling, and a boolean only as true or false.
/// Error internal: the schema itself is wrong. Blocks on the file; allocates; any thread.
[[nodiscard]] Result<Document> load_yaml(const std::filesystem::path& path,
                                         std::string_view schema_json);

/// The same for text in memory; `file` is the name for messages.
[[nodiscard]] Result<Document> parse_yaml(std::string_view text, std::string_view file,
                                          std::string_view schema_json);

/// One thing that is wrong with a JSON value.
struct Problem {
  std::string pointer;  ///< RFC 6901, "" for the whole value.
  std::string what;     ///< For people: what is wrong and what is allowed.
};

/// A compiled JSON Schema (draft 7), for values that come by other ways than a file, such as HTTP
/// bodies. Immutable; any thread may call check().
class Schema {
 public:
  /// Error internal: `schema_json` is not a schema.
  [[nodiscard]] static Result<Schema> compile(std::string_view schema_json);

  /// Everything (at most `problems_max`) that is wrong with `value`; empty when it is valid.
  [[nodiscard]] std::vector<Problem> check(const nlohmann::json& value) const;

 private:
  struct Parts;
  std::shared_ptr<const Parts> parts_;
};

}  // namespace firebreak::config
