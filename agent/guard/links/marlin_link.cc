#include "agent/guard/links/marlin_link.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <ctime>

#include "agent/guard/links/link_core.h"
#include "agent/guard/links/tty_port.h"
#include "agent/guard/proxy/pty_pair.h"

namespace firebreak::guard {

struct MarlinLink::Parts {
  explicit Parts(const LinkParts& given)
      : config(given.config),
        clock(given.clock),
        port(config.port, config.baud, clock),
        host(config.name, given.run_dir / config.pty, given.keeper),
        core(config, given.shared, port, host, given.keeper, given.events),
        wake_fd(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}
  ~Parts() {
    if (wake_fd >= 0) close(wake_fd);
  }

  const PrinterConfig& config;
  const Clock& clock;
  TtyPort port;
  PtyPair host;
  LinkCore core;
  int wake_fd;
  bool prepared = false;
};

MarlinLink::MarlinLink(const LinkParts& parts) : parts_(std::make_unique<Parts>(parts)) {}

MarlinLink::~MarlinLink() = default;

Result<void> MarlinLink::prepare() {
  auto& p = *parts_;
  if (p.prepared) return {};
  p.prepared = true;
  auto made = p.host.open(p.config.baud);
  p.core.start(p.clock.now(), p.host.adopted());
  return made;
}

void MarlinLink::run(std::stop_token stop) {
  auto& p = *parts_;
  (void)prepare();
  while (!stop.stop_requested()) {
    const auto before = p.clock.now();
    enum { wake, port, host, count };
    std::array<pollfd, count> polled{};
    polled[wake] = {p.wake_fd, POLLIN, 0};
    polled[port] = {p.core.port_fd(), POLLIN, 0};
    polled[host] = {p.core.wants_host(before) ? p.host.master_fd() : -1, POLLIN, 0};
    const timespec longest{0, static_cast<long>(p.core.wait(before).count())};
    ppoll(polled.data(), polled.size(), &longest, nullptr);
    const auto now = p.clock.now();
    if (polled[wake].revents & POLLIN) {
      eventfd_t value = 0;
      eventfd_read(p.wake_fd, &value);
    }
    if (polled[port].revents != 0) p.core.port_readable(now);
    if (polled[host].revents & POLLIN) p.core.host_readable(now);
    p.core.tick(now);
  }
}

void MarlinLink::wake() noexcept { eventfd_write(parts_->wake_fd, 1); }

}  // namespace firebreak::guard
