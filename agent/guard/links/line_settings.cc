// termios2 lives in the kernel's own header, which cannot be included beside <termios.h>.
#include "agent/guard/links/line_settings.h"

#include <asm/termbits.h>
#include <sys/ioctl.h>

namespace firebreak::guard {

bool set_tty_line(int fd, const LineSettings& line) noexcept {
  termios2 settings{};
  if (ioctl(fd, TCGETS2, &settings) != 0) return false;
  settings.c_cflag &= ~static_cast<tcflag_t>(CBAUD | (CBAUD << IBSHIFT) | CSTOPB);
  if (line.baud != 0) settings.c_cflag |= BOTHER | (BOTHER << IBSHIFT);  // Else B0: hang up.
  if (line.two_stop_bits) settings.c_cflag |= CSTOPB;
  settings.c_ispeed = settings.c_ospeed = static_cast<speed_t>(line.baud);
  return ioctl(fd, TCSETS2, &settings) == 0;
}

LineSettings tty_line(int fd) noexcept {
  termios2 settings{};
  if (ioctl(fd, TCGETS2, &settings) != 0) return {};
  return {static_cast<int>(settings.c_ospeed), (settings.c_cflag & CSTOPB) != 0};
}

}  // namespace firebreak::guard
