#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace firebreak::coordinator {

/// What a head and a body may be at most. A request beyond them is refused, never cut.
inline constexpr std::size_t request_head_bytes_max = 16 * 1024;
inline constexpr std::size_t request_body_bytes_max = 1024 * 1024;
/// Under cpp-httplib's own 8192, so that its limit is never the one that decides.
inline constexpr std::size_t request_target_bytes_max = 2048;
inline constexpr std::size_t request_headers_max = 64;

/// Why a request was refused: the status and the stable problem code that the client gets.
struct Refusal {
  int status = 400;
  std::string code;    ///< A problem code of openapi.json.
  std::string detail;  ///< For people; holds no byte of the request.
};

/// One whole request that passed every check of the front door. `path` is normalised: percent
/// escapes decoded, no empty, `.` or `..` segment, only URL-safe ASCII.
struct ParsedRequest {
  std::string method;
  std::string path;
  std::string query;  ///< As sent, without the `?`; valid escapes only.
  /// Allow-listed headers only, names in lower case, each at most once.
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  bool keep_alive = true;
  std::size_t content_length = 0;

  /// The value of an allow-listed header, or empty.
  [[nodiscard]] std::string_view header(std::string_view lower_name) const;
};

/// Reads HTTP/1.1 requests from a byte stream, and refuses every framing that two readers could
/// understand differently: two lengths, a length and chunks, bare line feeds, folded lines, spaces
/// before a colon, signs or lists in a length. Chunked bodies are refused (411).
/// Not thread-safe. Never throws (but for memory), never holds more than one head and one body.
class RequestParser {
 public:
  enum class State { head, body, complete, refused };

  /// Takes bytes up to the end of the current request and says how many it took; the rest belongs
  /// to the next request. Takes none once complete or refused.
  std::size_t feed(std::string_view bytes);

  [[nodiscard]] State state() const { return state_; }
  /// True once a byte of the current request has come.
  [[nodiscard]] bool started() const { return started_; }
  /// The head as far as it is known; valid in State::body and State::complete.
  [[nodiscard]] const ParsedRequest& request() const { return request_; }
  /// Valid in State::refused. The connection must be closed after the answer: what follows on it
  /// cannot be trusted to be a request.
  [[nodiscard]] const Refusal& refusal() const { return refusal_; }
  /// Hands the complete request out and begins the next one.
  ParsedRequest take();

 private:
  bool refuse(int status, std::string_view code, std::string detail);
  std::size_t feed_head(std::string_view bytes);
  std::size_t feed_body(std::string_view bytes);
  bool parse_head();
  bool parse_request_line(std::string_view line);
  bool parse_method(std::string_view method);
  bool parse_target(std::string_view target);
  bool parse_header_line(std::string_view line);
  bool note_header(std::string name, std::string_view value);
  bool parse_content_length(std::string_view value);
  bool finish_head();

  State state_ = State::head;
  bool started_ = false;
  bool saw_host_ = false;
  bool saw_connection_close_ = false;
  std::size_t header_count_ = 0;
  std::optional<std::size_t> content_length_;
  std::optional<std::string> transfer_encoding_;
  std::string head_;
  ParsedRequest request_;
  Refusal refusal_;
};

}  // namespace firebreak::coordinator
