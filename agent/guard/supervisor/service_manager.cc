#include "agent/guard/supervisor/service_manager.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace firebreak::guard {
namespace {

constexpr int first_inherited = 3;  // SD_LISTEN_FDS_START

int connect_to(const char* path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::size_t length = std::strlen(path);
  if (length == 0 || length >= sizeof(address.sun_path)) return -1;
  std::memcpy(address.sun_path, path, length);
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';  // Abstract name.
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), size) != 0) {
    close(fd);
    return -1;
  }
  return fd;
}

int number_in_environment(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? 0 : std::atoi(text);
}

std::map<std::string, int, std::less<>> inherited_descriptors() {
  std::map<std::string, int, std::less<>> found;
  const int count = number_in_environment("LISTEN_FDS");
  const char* names = std::getenv("LISTEN_FDNAMES");
  if (count <= 0 || names == nullptr || number_in_environment("LISTEN_PID") != getpid()) {
    return found;
  }
  std::string_view rest = names;
  for (int i = 0; i < count; ++i) {
    const std::size_t end = rest.find(':');
    const int fd = first_inherited + i;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    // The order is not the order of storing: only the name tells which descriptor it is.
    const auto [entry, added] = found.try_emplace(std::string(rest.substr(0, end)), fd);
    if (!added) close(fd);
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
  }
  return found;
}

}  // namespace

ServiceManager ServiceManager::from_environment() {
  ServiceManager manager;
  if (const char* path = std::getenv("NOTIFY_SOCKET")) manager.socket_ = connect_to(path);
  manager.inherited_ = inherited_descriptors();
  for (const char* name : {"NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID"}) {
    unsetenv(name);
  }
  return manager;
}

ServiceManager::ServiceManager(ServiceManager&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)), inherited_(std::move(other.inherited_)) {}

ServiceManager::~ServiceManager() {
  if (socket_ >= 0) close(socket_);
}

void ServiceManager::notify(std::string_view lines) noexcept { send(lines, -1); }

void ServiceManager::send(std::string_view lines, int fd) noexcept {
  if (socket_ < 0) return;
  iovec part{const_cast<char*>(lines.data()), lines.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (fd >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &fd, sizeof(int));
  }
  sendmsg(socket_, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

std::optional<int> ServiceManager::take(std::string_view name) {
  const std::lock_guard lock(mutex_);
  const auto entry = inherited_.find(name);
  if (entry == inherited_.end()) return std::nullopt;
  const int fd = entry->second;
  inherited_.erase(entry);
  return fd;
}

void ServiceManager::keep(std::string_view name, int fd) {
  forget(name);
  send("FDSTORE=1\nFDNAME=" + std::string(name), fd);
}

void ServiceManager::forget(std::string_view name) {
  send("FDSTOREREMOVE=1\nFDNAME=" + std::string(name), -1);
}

}  // namespace firebreak::guard
