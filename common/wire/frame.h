#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "common/base/result.h"

/// Frames between agent and coordinator; docs/protocol.md is the byte-level page.
namespace firebreak::wire {

/// Largest CBOR map of a frame: a full telemetry of 64 printers is about 60 kB, and a batch of
/// events is cut to a quarter of this.
inline constexpr std::size_t frame_bytes_max = 1u << 20;
/// Largest first frame of a session, read before anything is known of its sender.
inline constexpr std::size_t first_frame_bytes_max = 64u << 10;
inline constexpr std::size_t length_bytes = 4;

/// A frame around one CBOR map. Errors: bad_input (not an object, larger than frame_bytes_max,
/// text that is not UTF-8).
Result<std::string> encode_frame(const nlohmann::json& message);

/// Cuts a stream of bytes into frames. Bounded: never holds more than one frame of the present
/// limit, and refuses a longer one at its length field, before any of it is stored.
/// One thread at a time.
class FrameReader {
 public:
  explicit FrameReader(std::size_t bytes_max = first_frame_bytes_max) : bytes_max_(bytes_max) {}

  /// From now on frames may be this long.
  void allow(std::size_t bytes_max) { bytes_max_ = bytes_max; }

  /// Takes bytes and calls `frame` for every complete CBOR map's bytes, in order. Stops early when
  /// `frame` returns false. Errors: bad_input (a length of 0 or above the limit); the stream is
  /// then lost, and so is the session.
  Result<void> feed(std::string_view bytes, const std::function<bool(std::string_view)>& frame);

  /// Bytes held for a frame that is not complete.
  [[nodiscard]] std::size_t held() const { return buffer_.size(); }

 private:
  std::size_t bytes_max_;
  std::string buffer_;
};

}  // namespace firebreak::wire
