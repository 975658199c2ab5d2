#include "agent/uplink/discovery/ssdp.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "common/base/escape.h"

namespace firebreak::uplink {
namespace {

constexpr std::string_view device_type = "urn:bambulab-com:device:3dprinter:1";
constexpr std::size_t lines_max = 32;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same_word(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

std::string_view next_line(std::string_view& rest) {
  const auto end = rest.find('\n');
  const auto line = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return trimmed(line);
}

bool is_serial(std::string_view text) {
  return !text.empty() && text.size() <= 32 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
  });
}

bool is_ipv4(std::string_view text) {
  in_addr raw{};
  return text.size() < INET_ADDRSTRLEN &&
         ::inet_pton(AF_INET, std::string(text).c_str(), &raw) == 1;
}

struct Header {
  std::string_view name;
  std::string_view value{};
};

}  // namespace

std::optional<Finding> parse_bambu_announcement(std::string_view datagram) {
  if (datagram.size() > ssdp_bytes_max) return std::nullopt;
  if (!next_line(datagram).starts_with("NOTIFY ")) return std::nullopt;
  std::array<Header, 6> headers{{{"NT"},
                                 {"USN"},
                                 {"Location"},
                                 {"DevModel.bambu.com"},
                                 {"DevName.bambu.com"},
                                 {"DevConnect.bambu.com"}}};
  for (std::size_t i = 0; i < lines_max && !datagram.empty(); ++i) {
    const auto line = next_line(datagram);
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    for (Header& header : headers) {
      // The first counts: a second one cannot change what was read.
      if (header.value.empty() && same_word(line.substr(0, colon), header.name))
        header.value = trimmed(line.substr(colon + 1));
    }
  }
  const auto& [type, serial, location, model, name, connect] = headers;
  if (type.value != device_type || !is_serial(serial.value) || !is_ipv4(location.value))
    return std::nullopt;
  Finding finding;
  finding.kind = "bambu";
  finding.address = location.value;
  finding.identity = serial.value;
  finding.name = escape_untrusted(name.value, shown_bytes_max);
  finding.claims = escape_untrusted(model.value, shown_bytes_max);
  if (!same_word(connect.value, "lan"))
    finding.note = "LAN mode is off: switch it on at its screen";
  return finding;
}

}  // namespace firebreak::uplink
