#include "agent/guard/control/listener.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "common/base/system_reason.h"

namespace firebreak::guard {
namespace {

// Connections that wait for accept; the loop accepts every round, so this only spans one request.
constexpr int backlog = 32;

std::string reason() { return system_reason(errno); }

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return fail(ErrorCode::bad_input, path + ": longer than a unix socket's name may be (" +
                                          std::to_string(sizeof(address.sun_path) - 1) +
                                          " bytes); choose a shorter run_dir");
  }
  path.copy(address.sun_path, path.size());
  return address;
}

bool connect_to(const sockaddr_un& address) {
  const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) return true;  // A doubt leaves the file alone.
  const int result = connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  const bool dead = result != 0 && errno == ECONNREFUSED;
  close(probe);
  return !dead;
}

// Nothing there, or a socket that its owner left behind when it died.
Result<void> check_replaceable(const std::string& path, const sockaddr_un& address) {
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return {};
    return fail(ErrorCode::unavailable, path + ": " + reason());
  }
  if (!S_ISSOCK(info.st_mode)) {
    return fail(ErrorCode::refused,
                path + ": a file that is not a socket is in the way; move it and start again");
  }
  if (connect_to(address)) {
    return fail(ErrorCode::refused, path +
                                        ": another guard answers there; stop it first "
                                        "(systemctl status firebreak-guard)");
  }
  return {};
}

}  // namespace

Listener::Listener(Listener&& other) noexcept { *this = std::move(other); }

Listener& Listener::operator=(Listener&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(path_, other.path_);
  std::swap(device_, other.device_);
  std::swap(inode_, other.inode_);
  return *this;
}

Listener::~Listener() {
  if (fd_ < 0) return;
  close(fd_);
  struct stat info {};
  if (lstat(path_.c_str(), &info) == 0 && info.st_ino == inode_ && info.st_dev == device_) {
    unlink(path_.c_str());
  }
}

Result<Listener> Listener::open(const std::filesystem::path& path, std::optional<gid_t> group,
                                mode_t mode, mode_t mode_without_group) {
  const std::string temporary = path.string() + ".new";
  const auto address = address_of(path.string());
  if (!address) return fail(address.error());
  const auto temporary_address = address_of(temporary);
  if (!temporary_address) return fail(temporary_address.error());
  if (const auto free = check_replaceable(path.string(), *address); !free) {
    return fail(free.error());
  }
  unlink(temporary.c_str());
  Listener listener;
  listener.fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listener.fd_ < 0) return fail(ErrorCode::unavailable, "no unix socket: " + reason());
  if (bind(listener.fd_, reinterpret_cast<const sockaddr*>(&*temporary_address),
           sizeof(*temporary_address)) != 0) {
    return fail(ErrorCode::unavailable, temporary + ": cannot be made: " + reason() +
                                            "; does its folder exist, and may the guard write it?");
  }
  const bool grouped = group && chown(temporary.c_str(), static_cast<uid_t>(-1), *group) == 0;
  struct stat info {};
  if (chmod(temporary.c_str(), grouped ? mode : mode_without_group) != 0 ||
      ::listen(listener.fd_, backlog) != 0 || lstat(temporary.c_str(), &info) != 0 ||
      rename(temporary.c_str(), path.c_str()) != 0) {
    const std::string why = reason();
    unlink(temporary.c_str());
    return fail(ErrorCode::unavailable, path.string() + ": cannot be opened: " + why);
  }
  listener.path_ = path;
  listener.device_ = info.st_dev;
  listener.inode_ = info.st_ino;
  return listener;
}

}  // namespace firebreak::guard
