#include "coordinator/front_door/target.h"

#include <optional>

namespace firebreak::coordinator {
namespace {

bool is_path_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("-._~!$&'()*+,;=:@").find(c) != std::string_view::npos;
}

bool is_query_char(char c) { return is_path_char(c) || c == '/' || c == '?'; }

std::optional<int> hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return std::nullopt;
}

/// The byte of the escape at `text[at]`, which is a `%`.
std::optional<char> escaped_byte(std::string_view text, std::size_t at) {
  if (at + 2 >= text.size()) return std::nullopt;
  const auto high = hex_digit(text[at + 1]);
  const auto low = hex_digit(text[at + 2]);
  if (!high || !low) return std::nullopt;
  return static_cast<char>(*high * 16 + *low);
}

Result<std::string> decode_path(std::string_view raw) {
  std::string path;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    char c = raw[i];
    if (c == '/') {
      path.push_back(c);
      continue;
    }
    if (c == '%') {
      const auto byte = escaped_byte(raw, i);
      if (!byte) return fail(ErrorCode::bad_input, "the path holds a broken percent escape");
      c = *byte;
      i += 2;
    }
    if (!is_path_char(c)) return fail(ErrorCode::bad_input, "the path holds a forbidden byte");
    path.push_back(c);
  }
  return path;
}

bool has_bad_segment(std::string_view path) {
  std::size_t begin = 1;
  while (begin <= path.size()) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view segment = path.substr(begin, end - begin);
    if (segment == "." || segment == "..") return true;
    if (segment.empty() && path.size() > 1) return true;
    begin = end + 1;
  }
  return false;
}

}  // namespace

Result<Target> normalise_target(std::string_view target) {
  if (target.empty() || target.front() != '/')
    return fail(ErrorCode::bad_input, "the target is not a path that begins with /");
  const std::size_t mark = target.find('?');
  auto path = decode_path(target.substr(0, mark));
  if (!path) return fail(path.error());
  if (has_bad_segment(*path))
    return fail(ErrorCode::bad_input, "the path holds an empty segment, `.` or `..`");
  Target out{std::move(*path), {}};
  if (mark == std::string_view::npos) return out;
  const std::string_view query = target.substr(mark + 1);
  for (std::size_t i = 0; i < query.size(); ++i) {
    if (query[i] != '%') {
      if (!is_query_char(query[i]))
        return fail(ErrorCode::bad_input, "the query holds a forbidden byte");
      continue;
    }
    const auto byte = escaped_byte(query, i);
    if (!byte || static_cast<unsigned char>(*byte) < 0x20 || *byte == 0x7f)
      return fail(ErrorCode::bad_input, "the query holds a broken or a control escape");
    i += 2;
  }
  out.query = std::string(query);
  return out;
}

}  // namespace firebreak::coordinator
