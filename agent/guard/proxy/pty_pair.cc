#include "agent/guard/proxy/pty_pair.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "agent/guard/links/port_holder.h"
#include "common/base/system_reason.h"

namespace firebreak::guard {
namespace {

constexpr int looks_until_nobody = 20;  ///< 5 s of the link's looks.

}  // namespace

PtyPair::PtyPair(std::string printer, std::filesystem::path symlink, DescriptorKeeper& keeper)
    : printer_(std::move(printer)),
      master_name_("pty." + printer_),
      slave_name_("ptyslave." + printer_),
      symlink_(std::move(symlink)),
      keeper_(keeper) {}

PtyPair::~PtyPair() { close_all(); }

void PtyPair::close_all() noexcept {
  for (int* fd : {&master_, &slave_, &watch_}) {
    if (*fd >= 0) ::close(*fd);
    *fd = -1;
  }
  openers_ = 0;
  unseen_ = Unseen::none;
}

Result<void> PtyPair::open(int baud) {
  configured_baud_ = baud;
  auto master = keeper_.take(master_name_);
  auto slave = keeper_.take(slave_name_);
  std::array<char, 64> name{};
  adopted_ = master && slave && ptsname_r(*master, name.data(), name.size()) == 0;
  if (adopted_) {
    master_ = *master;
    slave_ = *slave;
    fcntl(master_, F_SETFL, fcntl(master_, F_GETFL) | O_NONBLOCK);
    slave_path_ = name.data();
  } else {
    if (master) ::close(*master);
    if (slave) ::close(*slave);
    auto made = create(baud);
    if (!made) return made;
  }
  keeper_.keep(master_name_, master_);
  keeper_.keep(slave_name_, slave_);
  watch_slave();
  return place_symlink();
}

Result<void> PtyPair::create(int baud) {
  const auto failed = [this](const char* step) {
    std::string message = "pty of printer " + printer_ + ": " + step + ": " + system_reason(errno);
    close_all();
    return fail(ErrorCode::unavailable, std::move(message));
  };
  master_ = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
  std::array<char, 64> name{};
  if (master_ < 0 || grantpt(master_) != 0 || unlockpt(master_) != 0 ||
      ptsname_r(master_, name.data(), name.size()) != 0) {
    return failed("cannot be made");
  }
  slave_path_ = name.data();
  slave_ = ::open(slave_path_.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
  if (slave_ < 0) return failed("its slave cannot be opened");
  if (chmod(slave_path_.c_str(), 0660) != 0) return failed("mode 0660");
  return set_raw(baud);
}

Result<void> PtyPair::set_raw(int baud) noexcept {
  termios settings{};
  if (tcgetattr(slave_, &settings) != 0) {
    return fail(ErrorCode::unavailable, "pty of printer " + printer_ + ": no terminal settings");
  }
  cfmakeraw(&settings);
  settings.c_cflag |= CLOCAL | CREAD;
  tcsetattr(slave_, TCSANOW, &settings);
  set_tty_line(slave_, {baud});
  return {};
}

Result<void> PtyPair::place_symlink() {
  // Made under another name and renamed: a host never meets a moment without the link.
  std::error_code error;
  auto fresh = symlink_;
  fresh += ".new";
  std::filesystem::remove(fresh, error);
  std::filesystem::create_symlink(slave_path_, fresh, error);
  if (!error) std::filesystem::rename(fresh, symlink_, error);
  if (error) {
    return fail(ErrorCode::unavailable,
                symlink_.string() + ": the link to the pty cannot be made: " + error.message() +
                    ": see the run directory's rights");
  }
  return {};
}

void PtyPair::watch_slave() {
  if (watch_ >= 0) ::close(watch_);
  watch_ = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (watch_ >= 0) inotify_add_watch(watch_, slave_path_.c_str(), IN_OPEN | IN_CLOSE);
  // Who opened it before we looked: another process that a restart of ours has left alone. /proc
  // shows it only where it is our own user's; else one is taken to be there, for an answer that is
  // withheld from it stalls its job for ever.
  openers_ = adopted_ && !find_port_holder(slave_path_).empty() ? 1 : 0;
  unseen_ = adopted_ && openers_ == 0 ? Unseen::maybe : Unseen::none;
}

bool PtyPair::has_unread() const noexcept {
  int unread = 0;
  return ioctl(slave_, FIONREAD, &unread) == 0 && unread > 0;
}

/// At the first opening or closing since: whoever was there has read what we wrote, or nobody was.
void PtyPair::settle_unseen() noexcept {
  const bool unread = has_unread();
  if (unseen_ == Unseen::maybe && !unread) openers_ = 1;
  if (unread) tcflush(slave_, TCIFLUSH);  // Not for the next host.
  unseen_ = Unseen::none;
}

/// A host reads what it gets; where something lies for seconds, there is none.
void PtyPair::doubt_unseen() noexcept {
  unread_looks_ = has_unread() ? unread_looks_ + 1 : 0;
  if (unread_looks_ < looks_until_nobody) return;
  unseen_ = Unseen::hardly;
  tcflush(slave_, TCIFLUSH);
}

void PtyPair::read_watch() noexcept {
  alignas(inotify_event) std::array<char, 1024> room;
  for (;;) {
    const auto count = watch_ < 0 ? -1 : ::read(watch_, room.data(), room.size());
    if (count <= 0) return;
    for (std::size_t at = 0; at + sizeof(inotify_event) <= static_cast<std::size_t>(count);) {
      inotify_event event;
      std::memcpy(&event, room.data() + at, sizeof event);
      at += sizeof event + event.len;
      if (unseen_ != Unseen::none) settle_unseen();
      if (event.mask & IN_OPEN) ++openers_;
      if (event.mask & IN_CLOSE) openers_ = std::max(0, openers_ - 1);
      if ((event.mask & IN_CLOSE) && openers_ == 0) {
        // The next host starts like one on a freshly opened port; what the last one wrote stays.
        tcflush(slave_, TCIFLUSH);
        (void)set_raw(configured_baud_);
      }
    }
  }
}

IoResult PtyPair::read(std::span<char> into) noexcept {
  const auto count = ::read(master_, into.data(), into.size());
  if (count > 0 && unseen_ != Unseen::none) {
    unseen_ = Unseen::none;
    openers_ = 1;
  }
  return {count > 0 ? static_cast<std::size_t>(count) : 0, false};
}

IoResult PtyPair::write(std::string_view bytes) noexcept {
  const auto count = ::write(master_, bytes.data(), bytes.size());
  return {count > 0 ? static_cast<std::size_t>(count) : 0, false};
}

bool PtyPair::attached() noexcept {
  read_watch();
  if (unseen_ == Unseen::maybe) doubt_unseen();
  return openers_ > 0 || unseen_ == Unseen::maybe;
}

LineSettings PtyPair::line() noexcept { return tty_line(slave_); }

void PtyPair::hang_up() noexcept {
  close_all();
  adopted_ = false;
  if (!create(configured_baud_)) return;
  keeper_.keep(master_name_, master_);
  keeper_.keep(slave_name_, slave_);
  watch_slave();
  (void)place_symlink();
}

}  // namespace firebreak::guard
