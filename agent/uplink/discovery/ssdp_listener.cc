#include "agent/uplink/discovery/ssdp_listener.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

#include "agent/uplink/discovery/ssdp.h"
#include "common/base/system_reason.h"

namespace firebreak::uplink {
namespace {

constexpr std::size_t announcers_max = 64;

struct Socket {
  int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  Socket() = default;
  ~Socket() {
    if (fd >= 0) ::close(fd);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
};

bool join(int fd, std::uint16_t port) {
  const int yes = 1;
  // Beside the slicer of somebody who works on this host.
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in own{};
  own.sin_family = AF_INET;
  own.sin_port = htons(port);
  own.sin_addr.s_addr = htonl(INADDR_ANY);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0) return false;
  ip_mreq group{};
  ::inet_pton(AF_INET, "239.255.255.250", &group.imr_multiaddr);
  // Newer printers broadcast: without a group, or without a route to it, those are heard all the
  // same.
  ::setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group);
  return true;
}

void take(std::string_view datagram, const sockaddr_in& from, std::vector<Finding>& found) {
  auto finding = parse_bambu_announcement(datagram);
  if (!finding || found.size() >= announcers_max) return;
  const bool seen = std::any_of(found.begin(), found.end(), [&](const Finding& one) {
    return one.identity == finding->identity;
  });
  if (seen) return;
  char sender[INET_ADDRSTRLEN] = {};
  ::inet_ntop(AF_INET, &from.sin_addr, sender, sizeof sender);
  if (finding->address != sender)
    finding->note = fmt::format("the announcement came from {}, not from there", sender);
  found.push_back(std::move(*finding));
}

}  // namespace

Result<std::vector<Finding>> listen_for_bambu(std::chrono::milliseconds time,
                                              const Cancelled& cancelled, std::uint16_t port) {
  const Socket socket;
  if (socket.fd < 0 || !join(socket.fd, port)) {
    return fail(ErrorCode::unavailable,
                fmt::format("UDP port {} cannot be listened on: {}", port, system_reason(errno)));
  }
  std::vector<Finding> found;
  std::array<char, ssdp_bytes_max + 1> datagram{};
  const auto until = std::chrono::steady_clock::now() + time;
  while (!cancelled && std::chrono::steady_clock::now() < until) {
    pollfd waiting{socket.fd, POLLIN, 0};
    if (::poll(&waiting, 1, cancelled_look_ms) <= 0) continue;
    sockaddr_in from{};
    socklen_t size = sizeof from;
    const auto bytes = ::recvfrom(socket.fd, datagram.data(), datagram.size(), 0,
                                  reinterpret_cast<sockaddr*>(&from), &size);
    if (bytes > 0) take({datagram.data(), static_cast<std::size_t>(bytes)}, from, found);
  }
  return found;
}

}  // namespace firebreak::uplink
