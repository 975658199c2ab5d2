#include "agent/guard/proxy/binary_transfer.h"

#include <algorithm>
#include <charconv>

namespace firebreak::guard {
namespace binary_transfer {

Packet close_packet(std::uint8_t sync) noexcept {
  // Token 0xB5AD, sync, protocol 0 and type 2, size 0, and Fletcher's sum of these last four; all
  // of it with the low byte first.
  Packet packet{'\xAD', '\xB5', static_cast<char>(sync), '\x02', 0, 0, 0, 0};
  unsigned low = 0, high = 0;
  for (std::size_t i = 2; i < 6; ++i) {
    low = (low + static_cast<unsigned char>(packet[i])) % 255;
    high = (high + low) % 255;
  }
  packet[6] = static_cast<char>(low);
  packet[7] = static_cast<char>(high);
  return packet;
}

int acknowledged_packet(std::string_view line) noexcept {
  if (!line.starts_with("ok") || line.size() < 3 || line.size() > 5) return -1;
  int number = -1;
  const auto* end = line.data() + line.size();
  const auto result = std::from_chars(line.data() + 2, end, number);
  return result.ec == std::errc{} && result.ptr == end && number >= 0 && number <= 255 ? number
                                                                                       : -1;
}

}  // namespace binary_transfer

bool CloseFinder::take(char byte) noexcept {
  std::rotate(last_.begin(), last_.begin() + 1, last_.end());
  last_.back() = byte;
  return last_ == binary_transfer::close_packet(sync());
}

}  // namespace firebreak::guard
