#pragma once

namespace firebreak::guard {

/// What a host sets on its terminal and the printer's port follows. Parity and data bits are not
/// among it: a pty shows neither (Linux, drivers/tty/pty.c: it is always 8 bits without parity).
/// Flow control is never followed: a board that held its CTS line would hold the stop back.
struct LineSettings {
  int baud = 0;  ///< 0: not known; as a command to a terminal: hang up (DTR down).
  bool two_stop_bits = false;

  /// Start bit, eight data bits, stop bits.
  [[nodiscard]] int bits_per_byte() const noexcept { return two_stop_bits ? 11 : 10; }
  bool operator==(const LineSettings&) const = default;
};

/// Sets any baud rate (termios2, BOTHER) and the stop bits, without a change of another setting;
/// baud 0 drops DTR. False if refused.
bool set_tty_line(int fd, const LineSettings& line) noexcept;
/// What is set on a terminal; baud 0 if it cannot be asked.
LineSettings tty_line(int fd) noexcept;

}  // namespace firebreak::guard
