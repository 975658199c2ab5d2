#include "common/wire/frame.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace firebreak::wire {
namespace {

std::size_t read_length(std::string_view bytes) {
  std::size_t length = 0;
  for (std::size_t i = 0; i < length_bytes; ++i) {
    length = length << 8 | static_cast<std::uint8_t>(bytes[i]);
  }
  return length;
}

}  // namespace

Result<std::string> encode_frame(const nlohmann::json& message) {
  if (!message.is_object()) return fail(ErrorCode::internal, "a frame carries an object");
  std::string out(length_bytes, '\0');
  try {
    nlohmann::json::to_cbor(message, out);
  } catch (const nlohmann::json::exception& e) {
    return fail(ErrorCode::bad_input, std::string("frame: ") + e.what());
  }
  const std::size_t size = out.size() - length_bytes;
  if (size > frame_bytes_max) {
    return fail(ErrorCode::bad_input, fmt::format("frame: {} bytes are more than the limit of {}",
                                                  size, frame_bytes_max));
  }
  for (std::size_t i = 0; i < length_bytes; ++i) {
    out[i] = static_cast<char>(size >> (8 * (length_bytes - 1 - i)) & 0xff);
  }
  return out;
}

Result<void> FrameReader::feed(std::string_view bytes,
                               const std::function<bool(std::string_view)>& frame) {
  while (!bytes.empty()) {
    // The length first, then exactly the frame, so that nothing beyond it is ever copied.
    std::size_t wanted = length_bytes;
    if (buffer_.size() >= length_bytes) wanted += read_length(buffer_);
    const std::size_t taken = std::min(bytes.size(), wanted - buffer_.size());
    buffer_.append(bytes.substr(0, taken));
    bytes.remove_prefix(taken);
    if (buffer_.size() < length_bytes) return {};
    const std::size_t length = read_length(buffer_);
    if (length == 0 || length > bytes_max_) {
      return fail(ErrorCode::bad_input,
                  fmt::format("frame: a length of {} is not within 1..{}", length, bytes_max_));
    }
    if (buffer_.size() < length_bytes + length) continue;
    const std::string whole = std::exchange(buffer_, {});
    if (!frame(std::string_view(whole).substr(length_bytes))) return {};
  }
  return {};
}

}  // namespace firebreak::wire
