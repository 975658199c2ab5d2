#pragma once

#include <string>

namespace firebreak::coordinator {

/// What a long-lived answer (server-sent events) has to say next.
struct StreamChunk {
  std::string bytes;  ///< Empty: nothing new now.
  bool end = false;   ///< The stream is over after these bytes.
};

/// Where a long-lived answer gets its bytes from. The front door asks again only after the client
/// has taken the bytes before, so a slow client costs one chunk of memory and no thread.
/// Called on a worker thread, one call at a time; may block on the store, not for news.
class StreamSource {
 public:
  virtual ~StreamSource() = default;
  /// At most about 64 KiB at a time.
  virtual StreamChunk next() = 0;
};

}  // namespace firebreak::coordinator
