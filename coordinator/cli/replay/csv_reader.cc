#include "coordinator/cli/replay/csv_reader.h"

#include <array>
#include <charconv>
#include <cmath>
#include <fstream>
#include <optional>
#include <string>

#include "common/base/escape.h"

namespace firebreak::cli::replay {
namespace {

constexpr std::string_view header = "t,heater,temp,target,duty,fan,flow";
constexpr std::size_t columns = 7;
constexpr std::size_t problems_max = 5;
constexpr std::size_t file_bytes_max = std::size_t{4} << 30U;

using Fields = std::array<std::string_view, columns>;

/// The first seven fields of a line; false if there are fewer.
bool split(std::string_view line, Fields& fields) {
  for (std::size_t i = 0; i < columns; ++i) {
    const auto comma = line.find(',');
    fields[i] = line.substr(0, comma);
    if (comma == std::string_view::npos) return i + 1 == columns;
    line.remove_prefix(comma + 1);
  }
  return true;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

template <class T>
bool number(std::string_view text, T& value) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  return result.ec == std::errc{} && result.ptr == text.data() + text.size();
}

std::string wrong(std::string_view what, std::string_view field, std::string_view text) {
  return std::string(field) + " '" + escape_untrusted(std::string(text), 40) + "' " +
         std::string(what);
}

/// What is wrong with a field that may be empty and else is `low` … `high`; empty if nothing is.
std::string optional_number(std::string_view text, std::string_view field, float low, float high,
                            float& value) {
  if (text.empty()) return {};
  if (!number(text, value) || !std::isfinite(value)) return wrong("is no number", field, text);
  if (value >= low && value <= high) return {};
  return wrong("is out of range", field, text);
}

/// What is wrong with the row; empty if it is good.
std::string parse_row(std::string_view line, double before_s, TraceRow& row) {
  Fields fields;
  if (!split(line, fields)) return "has fewer than seven fields";
  for (auto& field : fields) field = trimmed(field);
  if (!number(fields[0], row.t_s) || !std::isfinite(row.t_s)) {
    return wrong("is no number of seconds", "t", fields[0]);
  }
  if (std::fabs(row.t_s) > 4e9) return wrong("is out of range", "t", fields[0]);
  if (row.t_s < before_s) return wrong("is earlier than the row before", "t", fields[0]);
  std::size_t kind = 0;
  while (kind < heater_names.size() && heater_names[kind] != fields[1]) ++kind;
  if (kind == heater_names.size()) {
    return wrong("is none of hotend, bed, chamber", "heater", fields[1]);
  }
  row.heater = static_cast<guard::HeaterKind>(kind);
  // A source may say nan: that is a reading which the engine judges.
  if (!number(fields[2], row.celsius)) return wrong("is no temperature", "temp", fields[2]);
  if (!number(fields[3], row.target_celsius) || !std::isfinite(row.target_celsius)) {
    return wrong("is no temperature", "target", fields[3]);
  }
  if (auto problem = optional_number(fields[4], "duty", 0, 1, row.duty); !problem.empty()) {
    return problem;
  }
  if (auto problem = optional_number(fields[5], "fan", 0, 1, row.fan); !problem.empty()) {
    return problem;
  }
  return optional_number(fields[6], "flow", -1000, 1000, row.flow_mm3_per_s);
}

bool is_header(std::string_view line) {
  return line == header || (line.starts_with(header) && line[header.size()] == ',');
}

std::string_view take_line(std::string_view& text) {
  const auto end = text.find('\n');
  auto line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

}  // namespace

Result<Trace> parse_csv(std::string_view text, const std::string& name) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  if (!is_header(take_line(text))) {
    return fail(ErrorCode::bad_input, name + ":1: expected the header " + std::string(header));
  }
  Trace trace;
  trace.reserve(text.size() / 32);
  std::string problems;
  std::size_t count = 0, line_number = 1;
  double before_s = -1e300;
  while (!text.empty()) {
    ++line_number;
    const auto line = take_line(text);
    if (line.empty()) continue;
    TraceRow row;
    const auto problem = parse_row(line, before_s, row);
    if (problem.empty()) {
      before_s = row.t_s;
      trace.push_back(row);
    } else if (++count <= problems_max) {
      problems += (problems.empty() ? "" : "\n") + name + ":" + std::to_string(line_number) + ": " +
                  problem;
    }
  }
  if (count > problems_max) {
    problems += "\n" + name + ": and " + std::to_string(count - problems_max) + " more rows";
  }
  if (count > 0) return fail(ErrorCode::bad_input, problems);
  if (trace.empty()) return fail(ErrorCode::bad_input, name + ": holds no readings");
  return trace;
}

Result<std::string> read_file(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary | std::ios::ate);
  if (!in) return fail(ErrorCode::not_found, "cannot open " + file.string());
  const auto size = in.tellg();
  if (size < 0 || static_cast<std::size_t>(size) > file_bytes_max) {
    return fail(ErrorCode::bad_input, file.string() + ": is no file that can be read whole");
  }
  std::string text(static_cast<std::size_t>(size), '\0');
  in.seekg(0);
  in.read(text.data(), size);
  if (!in) return fail(ErrorCode::unavailable, "cannot read " + file.string());
  return text;
}

}  // namespace firebreak::cli::replay
