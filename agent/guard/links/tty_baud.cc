// termios2 lives in the kernel's own header, which cannot be included beside <termios.h>.
#include <asm/termbits.h>
#include <sys/ioctl.h>

namespace firebreak::guard {

bool set_tty_baud(int fd, int baud) noexcept {
  termios2 settings{};
  if (ioctl(fd, TCGETS2, &settings) != 0) return false;
  settings.c_cflag &= ~static_cast<tcflag_t>(CBAUD | (CBAUD << IBSHIFT));
  if (baud != 0) settings.c_cflag |= BOTHER | (BOTHER << IBSHIFT);  // Else B0: hang up.
  settings.c_ispeed = settings.c_ospeed = static_cast<speed_t>(baud);
  return ioctl(fd, TCSETS2, &settings) == 0;
}

int tty_baud(int fd) noexcept {
  termios2 settings{};
  if (ioctl(fd, TCGETS2, &settings) != 0) return 0;
  return static_cast<int>(settings.c_ospeed);
}

}  // namespace firebreak::guard
