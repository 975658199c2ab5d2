#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "coordinator/front_door/request_parser.h"
#include "coordinator/front_door/stream_source.h"

namespace firebreak::coordinator {

/// What goes back to a client: either whole response bytes, or a stream.
struct Answer {
  std::string bytes;                     ///< A complete HTTP/1.1 response, head and body.
  std::unique_ptr<StreamSource> stream;  ///< When set, `bytes` is the head alone.
  std::chrono::milliseconds delay{0};    ///< Held back so long (guessed tokens); costs no thread.
  bool authenticated = false;            ///< The request carried a valid token.
  bool close = false;
};

/// What the front door needs behind it. Called on worker threads, several at once.
class RequestHandler {
 public:
  virtual ~RequestHandler() = default;
  /// Answers one whole request. Never throws.
  virtual Answer handle(ParsedRequest request, const std::string& peer_ip) = 0;
  /// The answer to a request that was refused before it was whole, or that cannot be served now.
  virtual std::string refusal(const Refusal& refusal) = 0;
};

/// True for the one request that has reserved room everywhere.
inline bool is_stop(const ParsedRequest& request) {
  return request.method == "POST" && request.path == "/api/v1/stop";
}

}  // namespace firebreak::coordinator
