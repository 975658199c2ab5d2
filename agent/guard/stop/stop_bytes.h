#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "agent/guard/config/guard_config.h"
#include "agent/guard/core/shared.h"

namespace firebreak::guard {

/// A ready-made byte sequence: built once at start, only read on the stop path.
class ByteSequence {
 public:
  static constexpr std::size_t capacity = 512;

  /// Appends; what does not fit is refused whole (false).
  bool append(std::string_view bytes) noexcept;
  [[nodiscard]] std::string_view view() const noexcept { return {bytes_.data(), size_}; }

 private:
  std::array<char, capacity> bytes_{};
  std::size_t size_ = 0;
};

/// What stops a printer, and how many of its first bytes the kernel must have taken before the stop
/// counts as written.
struct StopBytes {
  ByteSequence stop;
  std::size_t head = 0;
  ByteSequence heaters_off;  ///< For probation: never a stop, which would halt it again.
};

/// For the link of `printer`. Klipper: one message of its API, `emergency_stop`, which acts where
/// an M112 that waits behind an M109 does not (docs/safety.md). Network: one line to the uplink.
StopBytes make_stop(const PrinterConfig& printer);

/// What must stand before a stop or heaters-off for a firmware that takes its bytes in this form;
/// empty for plain lines, and for packets, which no bytes that are ready in advance can end.
/// Source: Marlin, src/feature/meatpack.cpp (commands), src/gcode/queue.cpp (while it saves a file
/// it refuses lines without a number, M29 excepted).
std::string_view stop_prefix(StreamForm form) noexcept;

/// The stop of a Marlin-family firmware: a newline that ends half a line in flight, M112, and for
/// a firmware that did not act on it heaters off for every tool, bed and chamber; then the same
/// numbered from a fresh M110, for a firmware that takes only numbered lines. M107 only where the
/// fan is not the heatbreak's.
/// Source of the shape: OctoPrint's M112 handling and Marlin's emergency parser (docs/safety.md).
ByteSequence make_stop_bytes(const PrinterProfile& profile);

/// Heaters off alone, for a Marlin-family firmware.
ByteSequence make_heaters_off_bytes(const PrinterProfile& profile);

/// "N<number> <command>*<sum>\n" with the XOR sum that RepRap firmwares check.
bool append_numbered(ByteSequence& bytes, int number, std::string_view command) noexcept;

}  // namespace firebreak::guard
