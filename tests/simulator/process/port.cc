#include "tests/simulator/process/port.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

namespace firebreak::sim {
namespace {

// A UART has no more than this under way; a host that does not read loses the rest.
constexpr std::size_t kPendingBytes = 64 * 1024;

std::string problem(const char* what) { return std::string(what) + ": " + std::strerror(errno); }

}  // namespace

Port::~Port() { unplug(); }

std::string Port::plug() {
  if (plugged()) return {};
  master_ = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  if (master_ < 0) return problem("posix_openpt");
  char name[64];
  if (grantpt(master_) != 0 || unlockpt(master_) != 0 ||
      ptsname_r(master_, name, sizeof name) != 0) {
    return problem("pty");
  }
  device_ = name;
  slave_ = ::open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (slave_ < 0) return problem(name);
  termios settings{};
  if (tcgetattr(slave_, &settings) != 0) return problem("tcgetattr");
  cfmakeraw(&settings);
  cfsetspeed(&settings, B115200);
  if (tcsetattr(slave_, TCSANOW, &settings) != 0) return problem("tcsetattr");
  const std::filesystem::path link(link_);
  std::error_code error;
  if (link.has_parent_path()) std::filesystem::create_directories(link.parent_path(), error);
  // Under another name first: a host never finds the link missing or half made.
  const std::string fresh = link_ + ".new";
  ::unlink(fresh.c_str());
  if (::symlink(name, fresh.c_str()) != 0) return problem(fresh.c_str());
  if (::rename(fresh.c_str(), link_.c_str()) != 0) return problem(link_.c_str());
  return {};
}

void Port::unplug() {
  if (!plugged()) return;
  ::unlink(link_.c_str());
  if (slave_ >= 0) ::close(slave_);
  ::close(master_);
  master_ = slave_ = -1;
  pending_.clear();
}

std::string_view Port::read(std::size_t limit) {
  const ssize_t count = ::read(master_, buffer_, std::min(limit, sizeof buffer_));
  return count > 0 ? std::string_view(buffer_, static_cast<std::size_t>(count))
                   : std::string_view();
}

std::size_t Port::unread() const {
  int bytes = 0;
  return plugged() && ioctl(master_, FIONREAD, &bytes) == 0 ? static_cast<std::size_t>(bytes) : 0;
}

void Port::discard_unread() {
  // A pty holds less than 64 KiB; a host that goes on writing must not hold the world up.
  for (int reads = 0; plugged() && reads < 16 && !read(sizeof buffer_).empty();) ++reads;
}

void Port::write(std::string_view bytes) {
  if (!plugged()) return;
  pending_.append(bytes);
  flush();
  if (pending_.size() > kPendingBytes) pending_.erase(0, pending_.size() - kPendingBytes);
}

void Port::flush() {
  while (!pending_.empty()) {
    const ssize_t count = ::write(master_, pending_.data(), pending_.size());
    if (count <= 0) return;
    pending_.erase(0, static_cast<std::size_t>(count));
  }
}

bool Port::hung_up() const {
  termios settings{};
  return slave_ >= 0 && tcgetattr(slave_, &settings) == 0 && cfgetospeed(&settings) == B0;
}

}  // namespace firebreak::sim
