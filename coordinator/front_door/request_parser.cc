#include "coordinator/front_door/request_parser.h"

#include <algorithm>
#include <array>

#include "coordinator/front_door/target.h"

namespace firebreak::coordinator {
namespace {

// What a handler may see of a client's head. Everything else (X-Forwarded-*, REMOTE_ADDR, Range,
// Accept-Encoding, Upgrade, …) ends here.
constexpr std::array<std::string_view, 6> allowed_headers{
    "authorization", "content-type", "idempotency-key", "last-event-id", "host", "user-agent"};
constexpr std::array<std::string_view, 7> known_methods{"GET",   "HEAD",   "POST",   "PUT",
                                                        "PATCH", "DELETE", "OPTIONS"};

bool is_token_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool is_host(std::string_view value) {
  if (value.empty() || value.size() > 255) return false;
  return std::all_of(value.begin(), value.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == ':' || c == '[' || c == ']' || c == '_';
  });
}

bool is_json(std::string_view content_type) {
  const std::string type = lower(content_type);
  const std::size_t semicolon = type.find(';');
  if (trim(std::string_view(type).substr(0, semicolon)) != "application/json") return false;
  if (semicolon == std::string::npos) return true;
  return trim(std::string_view(type).substr(semicolon + 1)) == "charset=utf-8";
}

}  // namespace

std::string_view ParsedRequest::header(std::string_view lower_name) const {
  for (const auto& [name, value] : headers)
    if (name == lower_name) return value;
  return {};
}

std::size_t RequestParser::feed(std::string_view bytes) {
  std::size_t taken = 0;
  if (state_ == State::head) taken += feed_head(bytes);
  if (state_ == State::body) taken += feed_body(bytes.substr(taken));
  return taken;
}

ParsedRequest RequestParser::take() {
  ParsedRequest out = std::move(request_);
  *this = RequestParser();
  return out;
}

bool RequestParser::refuse(int status, std::string_view code, std::string detail) {
  state_ = State::refused;
  refusal_ = {status, std::string(code), std::move(detail)};
  request_.keep_alive = false;
  return false;
}

std::size_t RequestParser::feed_head(std::string_view bytes) {
  std::size_t taken = 0;
  for (const char c : bytes) {
    ++taken;
    started_ = true;
    if (head_.size() >= request_head_bytes_max) {
      refuse(431, "head_too_large", "the request's head is larger than 16 KiB");
      return taken;
    }
    const bool after_cr = !head_.empty() && head_.back() == '\r';
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n' && !after_cr) {
      refuse(400, "bad_request", "a line of the head ends in a bare line feed");
      return taken;
    }
    if (c != '\n' && after_cr) {
      refuse(400, "bad_request", "a carriage return stands alone in the head");
      return taken;
    }
    if ((byte < 0x20 && c != '\r' && c != '\n' && c != '\t') || byte >= 0x7f) {
      refuse(400, "bad_request", "the head holds a control byte or a byte beyond ASCII");
      return taken;
    }
    head_.push_back(c);
    if (c == '\n' && (head_ == "\r\n" || head_.ends_with("\r\n\r\n"))) {
      parse_head();
      return taken;
    }
  }
  return taken;
}

bool RequestParser::parse_head() {
  std::string_view rest = head_;
  bool first = true;
  while (!rest.empty()) {
    const std::size_t end = rest.find("\r\n");
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end + 2);
    if (first) {
      if (!parse_request_line(line)) return false;
      first = false;
    } else if (!line.empty()) {
      if (!parse_header_line(line)) return false;
    }
  }
  return finish_head();
}

bool RequestParser::parse_request_line(std::string_view line) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last || line.find('\t') != line.npos)
    return refuse(400, "bad_request", "the request line is not `METHOD target HTTP/1.1`");
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (target.find(' ') != target.npos)
    return refuse(400, "bad_request", "the request line holds more than two spaces");
  if (version != "HTTP/1.1") {
    const bool is_http = version.starts_with("HTTP/") && version.size() == 8;
    return is_http ? refuse(505, "version_not_supported", "only HTTP/1.1 is spoken here")
                   : refuse(400, "bad_request", "the request line does not end in HTTP/1.1");
  }
  return parse_method(line.substr(0, first)) && parse_target(target);
}

bool RequestParser::parse_method(std::string_view method) {
  if (method.empty() || !std::all_of(method.begin(), method.end(), is_token_char))
    return refuse(400, "bad_request", "the method is not a token");
  if (std::find(known_methods.begin(), known_methods.end(), method) == known_methods.end())
    return refuse(501, "not_implemented", "the method is not known here");
  request_.method = std::string(method);
  return true;
}

bool RequestParser::parse_target(std::string_view target) {
  if (target.size() > request_target_bytes_max)
    return refuse(414, "uri_too_long", "the target is longer than 2048 bytes");
  auto normal = normalise_target(target);
  if (!normal) return refuse(400, "bad_request", std::move(normal.error().message));
  request_.path = std::move(normal->path);
  request_.query = std::move(normal->query);
  return true;
}

bool RequestParser::parse_header_line(std::string_view line) {
  if (++header_count_ > request_headers_max)
    return refuse(431, "head_too_large", "the head holds more than 64 header lines");
  if (line.front() == ' ' || line.front() == '\t')
    return refuse(400, "bad_request", "a header line is folded or begins with a space");
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0)
    return refuse(400, "bad_request", "a header line has no name");
  const std::string_view name = line.substr(0, colon);
  if (!std::all_of(name.begin(), name.end(), is_token_char))
    return refuse(400, "bad_request", "a header's name holds a space or another forbidden byte");
  return note_header(lower(name), trim(line.substr(colon + 1)));
}

bool RequestParser::note_header(std::string name, std::string_view value) {
  if (name == "content-length") return parse_content_length(value);
  if (name == "transfer-encoding") {
    if (transfer_encoding_)
      return refuse(400, "bad_request", "Transfer-Encoding stands twice in the head");
    transfer_encoding_ = lower(value);
    return true;
  }
  if (name == "connection") {
    if (lower(value).find("close") != std::string::npos) saw_connection_close_ = true;
    return true;
  }
  if (name == "content-encoding" && lower(value) != "identity")
    return refuse(415, "unsupported_media_type", "only bodies without an encoding are read here");
  if (name == "expect") return refuse(417, "bad_request", "Expect is not served; send the body");
  if (name == "host") {
    if (saw_host_) return refuse(400, "bad_request", "Host stands twice in the head");
    if (!is_host(value)) return refuse(400, "bad_request", "Host is not a host name");
    saw_host_ = true;
  }
  if (std::find(allowed_headers.begin(), allowed_headers.end(), name) == allowed_headers.end())
    return true;
  for (const auto& [known, ignored] : request_.headers)
    if (known == name)
      return refuse(400, "bad_request", "a header that decides stands twice in the head");
  request_.headers.emplace_back(std::move(name), std::string(value));
  return true;
}

bool RequestParser::parse_content_length(std::string_view value) {
  if (content_length_) return refuse(400, "bad_request", "Content-Length stands twice in the head");
  const bool digits =
      !value.empty() && value.size() <= 15 &&
      std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!digits) return refuse(400, "bad_request", "Content-Length is not a plain number");
  std::size_t length = 0;
  for (const char c : value) length = length * 10 + static_cast<std::size_t>(c - '0');
  content_length_ = length;
  return true;
}

bool RequestParser::finish_head() {
  if (!saw_host_) return refuse(400, "bad_request", "the head has no Host");
  if (transfer_encoding_ && content_length_)
    return refuse(400, "bad_request", "the head has a length and a transfer encoding");
  if (transfer_encoding_) {
    return *transfer_encoding_ == "chunked"
               ? refuse(411, "length_required", "send Content-Length instead of chunks")
               : refuse(501, "not_implemented", "this transfer encoding is not served");
  }
  const std::size_t length = content_length_.value_or(0);
  const std::string& method = request_.method;
  if (length > 0 && method != "POST" && method != "PUT" && method != "PATCH")
    return refuse(400, "bad_request", "this method takes no body");
  if (length > request_body_bytes_max)
    return refuse(413, "too_large", "the body is larger than 1 MiB");
  if (length > 0 && !is_json(request_.header("content-type")))
    return refuse(415, "unsupported_media_type", "send the body as application/json");
  request_.keep_alive = !saw_connection_close_;
  request_.content_length = length;
  head_.clear();
  state_ = length > 0 ? State::body : State::complete;
  return true;
}

std::size_t RequestParser::feed_body(std::string_view bytes) {
  const std::size_t missing = request_.content_length - request_.body.size();
  const std::string_view part = bytes.substr(0, missing);
  request_.body.append(part);
  if (request_.body.size() == request_.content_length) state_ = State::complete;
  return part.size();
}

}  // namespace firebreak::coordinator
