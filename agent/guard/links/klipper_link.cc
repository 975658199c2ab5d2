#include "agent/guard/links/klipper_link.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <exception>

#include "agent/guard/links/klipper_session.h"
#include "agent/guard/links/retired_descriptors.h"
#include "common/base/system_reason.h"

namespace firebreak::guard {
namespace {

constexpr std::chrono::seconds connect_every{1};
constexpr std::chrono::milliseconds longest_wait{100};
/// One round reads at most this much, so that a flood does not keep the thread from its output.
constexpr std::size_t read_at_once = std::size_t{256} * 1024;

/// A connected, non-blocking socket, or -1 with the reason in errno.
int connect_to(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string text = path.string();
  if (text.size() >= sizeof(address.sun_path)) {
    errno = ENAMETOOLONG;
    return -1;
  }
  std::memcpy(address.sun_path, text.data(), text.size());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) return fd;
  const int reason = errno;
  close(fd);
  errno = reason;
  return -1;
}

}  // namespace

struct KlipperLink::Parts {
  explicit Parts(const LinkParts& given)
      : config(given.config),
        shared(given.shared),
        clock(given.clock),
        session(given.config, given.shared, given.events),
        wake_fd(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
        room(std::make_unique<std::array<char, 16384>>()) {}
  ~Parts() {
    shared.port_fd.store(-1);
    if (fd >= 0) close(fd);
    if (wake_fd >= 0) close(wake_fd);
  }

  void open(MonotonicTime now);
  void drop(std::string_view why, MonotonicTime now);
  void receive(MonotonicTime now);
  void send_output(MonotonicTime now);

  const PrinterConfig& config;
  PrinterShared& shared;
  const Clock& clock;
  klipper::Session session;
  RetiredDescriptors retired;
  MonotonicTime retry_at{};
  int fd = -1;
  int wake_fd;
  std::unique_ptr<std::array<char, 16384>> room;
};

void KlipperLink::Parts::open(MonotonicTime now) {
  retry_at = now + connect_every;
  fd = connect_to(config.port);
  if (fd < 0) {
    const bool blocked = errno == EACCES || errno == EPERM;
    std::string why = config.port.string() + ": " + system_reason(errno);
    if (blocked) why += "; put the guard's user into the group of the user that runs Klipper";
    return session.lost(why, blocked, now);
  }
  shared.port_fd.store(fd);
  session.opened(now);
}

void KlipperLink::Parts::drop(std::string_view why, MonotonicTime now) {
  shared.port_fd.store(-1);
  retired.add(fd, now);
  fd = -1;
  retry_at = now + connect_every;
  session.lost(why, false, now);
}

void KlipperLink::Parts::receive(MonotonicTime now) {
  for (std::size_t total = 0; total < read_at_once;) {
    const auto got = recv(fd, room->data(), room->size(), 0);
    if (got > 0) {
      total += static_cast<std::size_t>(got);
      session.received({room->data(), static_cast<std::size_t>(got)}, now);
      if (session.broken()) return drop("klippy broke the protocol", now);
      continue;
    }
    if (got == 0) return drop("klippy closed it (it restarts, or was stopped)", now);
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) drop(system_reason(errno), now);
    return;
  }
}

void KlipperLink::Parts::send_output(MonotonicTime now) {
  for (const auto& message : session.take_output()) {
    if (fd < 0) return;
    const auto sent = ::send(fd, message.data(), message.size(), MSG_NOSIGNAL);
    // Half a message would swallow the stop that comes behind it.
    if (sent != static_cast<ssize_t>(message.size())) return drop("klippy does not read", now);
  }
}

KlipperLink::KlipperLink(const LinkParts& parts) : parts_(std::make_unique<Parts>(parts)) {}

KlipperLink::~KlipperLink() = default;

Result<void> KlipperLink::prepare() {
  const auto now = parts_->clock.now();
  if (parts_->fd < 0 && now >= parts_->retry_at) parts_->open(now);
  return {};
}

void KlipperLink::run(std::stop_token stop) {
  auto& p = *parts_;
  while (!stop.stop_requested()) {
    std::array<pollfd, 2> polled{pollfd{p.wake_fd, POLLIN, 0}, pollfd{p.fd, POLLIN, 0}};
    poll(polled.data(), polled.size(), static_cast<int>(longest_wait.count()));
    const auto now = p.clock.now();
    if (polled[0].revents & POLLIN) {
      eventfd_t value = 0;
      eventfd_read(p.wake_fd, &value);
    }
    p.shared.link_alive_ns.store(now.time_since_epoch().count());
    p.retired.collect(now);
    try {
      if (p.fd < 0 && now >= p.retry_at) p.open(now);
      if (p.fd >= 0 && polled[1].revents != 0) p.receive(now);
      if (p.fd >= 0 && p.session.silent(now)) p.drop("klippy does not answer", now);
      p.session.tick(now);
      p.send_output(now);
    } catch (const std::exception&) {
      // Only an allocation gets here: this printer is blind for a while, and the guard lives on.
      if (p.fd >= 0) p.drop("no memory for its message", now);
    }
  }
}

void KlipperLink::wake() noexcept { eventfd_write(parts_->wake_fd, 1); }

}  // namespace firebreak::guard
