#include "agent/uplink/discovery/host_range.h"

#include <arpa/inet.h>
#include <netdb.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <utility>

namespace firebreak::uplink {
namespace {

constexpr int prefix_least = 24;
constexpr std::size_t host_bytes_max = 253;  // RFC 1035

std::optional<int> whole(std::string_view text) {
  int value = 0;
  const auto end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, value);
  if (text.empty() || read.ec != std::errc{} || read.ptr != end) return std::nullopt;
  return value;
}

bool is_private(std::uint32_t address) {
  return address >> 24 == 10 || address >> 24 == 127 || address >> 20 == 0xac1 ||
         address >> 16 == 0xc0a8 || address >> 16 == 0xa9fe;
}

std::string dotted(std::uint32_t address) {
  const in_addr raw{htonl(address)};
  char text[INET_ADDRSTRLEN] = {};
  ::inet_ntop(AF_INET, &raw, text, sizeof text);
  return text;
}

}  // namespace

Result<std::vector<std::string>> hosts_of_range(std::string_view range) {
  const auto slash = range.find('/');
  const auto prefix =
      slash == std::string_view::npos ? std::nullopt : whole(range.substr(slash + 1));
  in_addr raw{};
  const std::string base(range.substr(0, std::min(slash, std::size_t{INET_ADDRSTRLEN})));
  if (!prefix || *prefix < 0 || *prefix > 32 || ::inet_pton(AF_INET, base.c_str(), &raw) != 1) {
    return fail(ErrorCode::bad_input, "a range is written like 192.168.1.0/24");
  }
  if (*prefix < prefix_least) {
    return fail(ErrorCode::bad_input,
                "a range has at most 256 addresses (/24); scan a larger network piece by piece");
  }
  const std::uint32_t size = 1U << (32 - *prefix);
  const std::uint32_t first = ntohl(raw.s_addr) & ~(size - 1);
  if (!is_private(first)) {
    return fail(ErrorCode::bad_input,
                "only private networks are scanned (10/8, 172.16/12, 192.168/16, 169.254/16)");
  }
  std::vector<std::string> hosts;
  const bool has_ends = size > 2;
  for (std::uint32_t i = has_ends ? 1 : 0; i < (has_ends ? size - 1 : size); ++i) {
    hosts.push_back(dotted(first + i));
  }
  return hosts;
}

Result<HostAndPort> read_host(std::string_view text) {
  HostAndPort out;
  const auto colon = text.rfind(':');
  if (colon != std::string_view::npos) {
    const auto port = whole(text.substr(colon + 1));
    if (!port || *port < 1 || *port > 65535) {
      return fail(ErrorCode::bad_input, "a port is a number from 1 to 65535");
    }
    out.port = *port;
  }
  out.host = text.substr(0, colon);
  const bool good = std::all_of(out.host.begin(), out.host.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
  });
  if (!good || out.host.empty() || out.host.front() == '-' || out.host.size() > host_bytes_max) {
    return fail(ErrorCode::bad_input,
                "a host is a name or an IPv4 address, with :PORT where needed");
  }
  return out;
}

HostAndPort host_of_address(std::string_view address, int port_otherwise) {
  HostAndPort out{std::string(), port_otherwise};
  for (const auto& [scheme, port] : {std::pair{"http://", 80}, std::pair{"https://", 443}}) {
    if (!address.starts_with(scheme)) continue;
    address.remove_prefix(std::string_view(scheme).size());
    out.port = port;
    break;
  }
  address = address.substr(0, address.find('/'));
  const auto colon = address.rfind(':');
  out.host = address.substr(0, colon);
  if (colon != std::string_view::npos)
    out.port = whole(address.substr(colon + 1)).value_or(out.port);
  return out;
}

Result<std::string> resolve(const std::string& host) {
  addrinfo wanted{};
  wanted.ai_family = AF_INET;
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int code = ::getaddrinfo(host.c_str(), nullptr, &wanted, &list);
  if (code != 0 || list == nullptr)
    return fail(ErrorCode::not_found, host + ": " + ::gai_strerror(code));
  const auto address = reinterpret_cast<const sockaddr_in*>(list->ai_addr)->sin_addr.s_addr;
  ::freeaddrinfo(list);
  return dotted(ntohl(address));
}

}  // namespace firebreak::uplink
