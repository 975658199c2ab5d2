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

/// How many bytes must be taken by the kernel before a stop counts as written: "\nM112\n".
inline constexpr std::string_view stop_head = "\nM112\n";

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

/// Heaters off alone, for probation: never M112, which would halt the printer again.
ByteSequence make_heaters_off_bytes(const PrinterProfile& profile);

/// "N<number> <command>*<sum>\n" with the XOR sum that RepRap firmwares check.
bool append_numbered(ByteSequence& bytes, int number, std::string_view command) noexcept;

}  // namespace firebreak::guard
