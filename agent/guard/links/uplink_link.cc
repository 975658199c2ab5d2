#include "agent/guard/links/uplink_link.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <exception>

#include "agent/guard/links/retired_descriptors.h"
#include "agent/guard/links/uplink_session.h"
#include "common/base/system_reason.h"

namespace firebreak::guard {
namespace {

constexpr std::chrono::milliseconds longest_wait{250};
/// One round reads at most this much.
constexpr std::size_t read_at_once = std::size_t{64} * 1024;

}  // namespace

struct UplinkLink::Parts {
  explicit Parts(const LinkParts& given)
      : shared(given.shared),
        clock(given.clock),
        session(given.config, given.shared, given.events),
        wake_fd(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}
  ~Parts() {
    shared.port_fd.store(-1);
    for (const int open : {fd, offered.load(), wake_fd}) {
      if (open >= 0) close(open);
    }
  }

  void take_offer(MonotonicTime now);
  void drop(std::string_view why, MonotonicTime now);
  void receive(MonotonicTime now);
  void send_output(MonotonicTime now);

  PrinterShared& shared;
  const Clock& clock;
  UplinkSession session;
  RetiredDescriptors retired;
  std::atomic<int> offered{-1};  ///< Of serve(), until the thread takes it.
  int fd = -1;
  int wake_fd;
};

void UplinkLink::Parts::take_offer(MonotonicTime now) {
  const int next = offered.exchange(-1);
  if (next < 0) return;
  if (fd >= 0) drop("it has connected anew", now);
  fd = next;
  shared.port_fd.store(fd);
  session.opened(now);
}

void UplinkLink::Parts::drop(std::string_view why, MonotonicTime now) {
  shared.port_fd.store(-1);
  retired.add(fd, now);
  fd = -1;
  session.lost(why, now);
}

void UplinkLink::Parts::receive(MonotonicTime now) {
  std::array<char, 4096> room;
  for (std::size_t total = 0; total < read_at_once;) {
    const auto got = recv(fd, room.data(), room.size(), 0);
    if (got > 0) {
      total += static_cast<std::size_t>(got);
      if (session.received({room.data(), static_cast<std::size_t>(got)}, now)) continue;
      return drop("it broke the protocol", now);
    }
    if (got == 0) return drop("it closed the connection", now);
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) drop(system_reason(errno), now);
    return;
  }
}

void UplinkLink::Parts::send_output(MonotonicTime now) {
  const std::string line = session.next_output(now);
  if (line.empty()) return;
  const auto sent = ::send(fd, line.data(), line.size(), MSG_NOSIGNAL);
  // Half a line would swallow the stop that comes behind it.
  if (sent != static_cast<ssize_t>(line.size())) drop("it does not read", now);
}

UplinkLink::UplinkLink(const LinkParts& parts) : parts_(std::make_unique<Parts>(parts)) {}

UplinkLink::~UplinkLink() = default;

bool UplinkLink::serve(int fd) {
  const int before = parts_->offered.exchange(fd);
  if (before >= 0) close(before);
  wake();
  return true;
}

void UplinkLink::run(std::stop_token stop) {
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
      if (p.fd >= 0 && polled[1].revents != 0) p.receive(now);
      if (p.fd >= 0 && p.session.silent(now)) p.drop("nothing was heard of it for 3 s", now);
      p.take_offer(now);
      if (p.fd >= 0) p.send_output(now);
    } catch (const std::exception&) {
      // Only an allocation gets here: this printer is blind for a while, and the guard lives on.
      if (p.fd >= 0) p.drop("no memory for its line", now);
    }
  }
}

void UplinkLink::wake() noexcept { eventfd_write(parts_->wake_fd, 1); }

}  // namespace firebreak::guard
