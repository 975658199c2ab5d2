#include "agent/guard/links/tty_port.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "agent/guard/links/port_discovery.h"
#include "agent/guard/links/port_holder.h"
#include "common/base/system_reason.h"

namespace firebreak::guard {
namespace {

bool is_pty(int fd) noexcept {
  struct stat info {};
  if (fstat(fd, &info) != 0) return false;
  const auto kind = major(info.st_rdev);
  return kind >= 136 && kind <= 143;  // Documentation/admin-guide/devices.txt: Unix98 slaves.
}

bool is_gone(int error) noexcept {
  return error == EIO || error == ENXIO || error == ENODEV || error == EBADF || error == EPIPE;
}

std::string held_message(const std::filesystem::path& path) {
  auto holder = find_port_holder(path);
  return path.string() + " is held by " + (holder.empty() ? "another process" : holder) +
         ": end it, or let it open the guard's own port instead";
}

Result<void> make_raw(int fd, const std::filesystem::path& path) {
  termios settings{};
  if (tcgetattr(fd, &settings) != 0) {
    return fail(ErrorCode::unavailable,
                path.string() + " is no terminal: name a serial port in the configuration");
  }
  cfmakeraw(&settings);
  settings.c_cflag |= CLOCAL | CREAD;
  settings.c_cflag &= ~static_cast<tcflag_t>(HUPCL | CRTSCTS | CSTOPB | PARENB);
  settings.c_cc[VMIN] = 0;
  settings.c_cc[VTIME] = 0;
  if (tcsetattr(fd, TCSANOW, &settings) != 0) {
    return fail(ErrorCode::unavailable,
                path.string() + ": cannot be set up as a serial port: " + system_reason(errno));
  }
  return {};
}

}  // namespace

TtyPort::TtyPort(std::filesystem::path path, int baud, const Clock& clock)
    : path_(std::move(path)), configured_baud_(baud), clock_(clock), line_{baud} {}

TtyPort::~TtyPort() {
  if (fd_ >= 0) ::close(fd_);
}

Result<void> TtyPort::open() {
  close();
  if (may_be_ambiguous(path_)) {
    if (auto named = check_port_name(path_, list_ports()); !named) return named;
  }
  // Looked at first: an open() that turns out to be one too many has already moved DTR.
  if (!find_port_holder(path_).empty()) return fail(ErrorCode::refused, held_message(path_));
  const int fd = ::open(path_.c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) {
    if (errno == EBUSY) return fail(ErrorCode::refused, held_message(path_));
    const bool missing = errno == ENOENT || errno == ENODEV || errno == ENXIO;
    return fail(missing ? ErrorCode::not_found : ErrorCode::unavailable,
                path_.string() + ": " + system_reason(errno) +
                    (missing ? ": is the printer plugged in and on?" : ": see the port's rights"));
  }
  auto ready = set_up(fd);
  if (!ready) {
    ::close(fd);
    return ready;
  }
  fd_ = fd;
  return {};
}

Result<void> TtyPort::set_up(int fd) {
  pty_ = is_pty(fd);
  // Both locks: TIOCEXCL keeps later openers out (root excepted), flock is what serial libraries
  // look at; a process that opened before us without either shows up only in /proc.
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    return fail(ErrorCode::refused, held_message(path_));
  }
  if (ioctl(fd, TIOCEXCL) != 0 && !pty_) {
    return fail(ErrorCode::unavailable,
                path_.string() + ": cannot be taken exclusively: " + system_reason(errno));
  }
  auto raw = make_raw(fd, path_);
  if (!raw) return raw;
  if (!set_tty_line(fd, {configured_baud_}) && !pty_) {
    return fail(ErrorCode::unavailable, path_.string() + ": does not take " +
                                            std::to_string(configured_baud_) +
                                            " baud: correct the printer's baud");
  }
  line_ = {configured_baud_};
  paced_ = 0;
  paced_at_ = clock_.now();
  return {};
}

bool TtyPort::adopt(int fd) {
  close();
  pollfd check{fd, POLLIN, 0};
  if (isatty(fd) != 1 || poll(&check, 1, 0) < 0 ||
      (check.revents & (POLLHUP | POLLERR | POLLNVAL))) {
    ::close(fd);
    return false;
  }
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  pty_ = is_pty(fd);
  line_ = tty_line(fd);
  if (line_.baud <= 0) line_.baud = configured_baud_;
  paced_ = 0;
  paced_at_ = clock_.now();
  fd_ = fd;
  return true;
}

void TtyPort::close() noexcept {
  if (fd_ < 0) return;
  ioctl(fd_, TIOCNXCL);
  flock(fd_, LOCK_UN);
  retired_.add(fd_, clock_.now());
  fd_ = -1;
}

void TtyPort::collect() noexcept {
  // A close must not wait for bytes that nobody will read.
  retired_.collect(clock_.now(), [](int fd) { tcflush(fd, TCIOFLUSH); });
}

IoResult TtyPort::read(std::span<char> into) noexcept {
  const auto count = ::read(fd_, into.data(), into.size());
  if (count > 0) return {static_cast<std::size_t>(count), false};
  if (count < 0) return {0, is_gone(errno)};
  // VMIN 0: no bytes read as 0, and so does a hang-up; poll tells them apart.
  pollfd check{fd_, POLLIN, 0};
  return {0, poll(&check, 1, 0) > 0 && (check.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0};
}

IoResult TtyPort::write(std::string_view bytes) noexcept {
  const auto count = ::write(fd_, bytes.data(), bytes.size());
  if (count < 0) return {0, is_gone(errno)};
  if (pty_) paced_ = static_cast<double>(paced_bytes()) + static_cast<double>(count);
  return {static_cast<std::size_t>(count), false};
}

std::size_t TtyPort::paced_bytes() noexcept {
  const auto now = clock_.now();
  const double seconds = std::chrono::duration<double>(now - paced_at_).count();
  paced_at_ = now;
  paced_ = std::max(0.0, paced_ - seconds * line_.baud / line_.bits_per_byte());
  return static_cast<std::size_t>(paced_);
}

std::size_t TtyPort::queued() noexcept {
  int bytes = 0;
  if (ioctl(fd_, TIOCOUTQ, &bytes) != 0 || bytes < 0) bytes = 0;
  const auto known = static_cast<std::size_t>(bytes);
  return pty_ ? std::max(known, paced_bytes()) : known;
}

void TtyPort::drop_output() noexcept {
  tcflush(fd_, TCOFLUSH);
  paced_ = 0;
}

bool TtyPort::set_dtr(bool high) noexcept {
  // Speed 0 is the terminal's own way to say it; a pty has no lines, but whoever made it sees that.
  if (fd_ >= 0 && pty_) return set_tty_line(fd_, high ? line_ : LineSettings{});
  int line = TIOCM_DTR;
  return fd_ >= 0 && ioctl(fd_, high ? TIOCMBIS : TIOCMBIC, &line) == 0;
}

bool TtyPort::set_line(const LineSettings& line) noexcept {
  if (line.baud < 300 || line.baud > 4'000'000 || fd_ < 0) return false;
  if (!set_tty_line(fd_, line) && !pty_) return false;
  line_ = line;
  return true;
}

}  // namespace firebreak::guard
