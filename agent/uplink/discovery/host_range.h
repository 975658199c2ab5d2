#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace firebreak::uplink {

/// The addresses of hosts in "a.b.c.d/24" … "/32", without the network's own and its broadcast
/// address. Errors: bad_input — not IPv4 in this form, more than a /24, or not a private network
/// (RFC 1918, 127/8, 169.254/16): an agent that was told to must not probe the internet.
Result<std::vector<std::string>> hosts_of_range(std::string_view range);

/// A host with an optional port, as a person writes it: "octopi.local", "10.0.0.7:5000".
struct HostAndPort {
  std::string host;
  int port = 0;  ///< 0: not given.
};
/// Errors: bad_input — empty, too long, or of other characters than names and IPv4 addresses have.
Result<HostAndPort> read_host(std::string_view text);

/// Host and port of "http://host:port" or "https://host"; of a host alone with `port_otherwise`.
HostAndPort host_of_address(std::string_view address, int port_otherwise);

/// The first IPv4 address of a host; may take as long as the resolver does. Errors: not_found.
Result<std::string> resolve(const std::string& host);

}  // namespace firebreak::uplink
