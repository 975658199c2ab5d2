#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace firebreak::guard {

/// Marlin's binary file transfer, which `M28 B1` begins: until a CLOSE packet the firmware reads
/// packets alone and no line at all, an M112 least of all; its emergency parser is off as well.
/// Source of the facts: Marlin, src/feature/binary_stream.h, src/gcode/sd/M28_M29.cpp and
/// src/sd/cardreader.cpp.
namespace binary_transfer {

inline constexpr std::size_t packet_bytes = 8;
using Packet = std::array<char, packet_bytes>;

/// The CLOSE packet (control protocol, no data) that a firmware takes which expects `sync` next.
Packet close_packet(std::uint8_t sync) noexcept;

/// `ok12`, which acknowledges packet 12; -1 for any other line.
int acknowledged_packet(std::string_view line) noexcept;

/// More than any firmware's buffer for a packet (Marlin: MAX_CMD_SIZE, 96): so many bytes end one
/// that was cut off.
inline constexpr std::size_t filler_bytes = 300;

}  // namespace binary_transfer

/// Looks for the CLOSE packet in what a host sends.
class CloseFinder {
 public:
  /// True when this byte was the last one of a CLOSE packet; sync() is its number.
  bool take(char byte) noexcept;
  [[nodiscard]] std::uint8_t sync() const noexcept { return static_cast<std::uint8_t>(last_[2]); }

 private:
  binary_transfer::Packet last_{};
};

}  // namespace firebreak::guard
