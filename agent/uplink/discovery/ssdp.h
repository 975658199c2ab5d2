#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "agent/uplink/discovery/finding.h"

namespace firebreak::uplink {

/// Longest announcement that is looked at; a real one has some 500 bytes.
inline constexpr std::size_t ssdp_bytes_max = 2048;

/// Reads one datagram as the announcement of a Bambu printer: an SSDP NOTIFY whose NT is
/// urn:bambulab-com:device:3dprinter:1, with the serial number in USN, its address in Location and
/// model and name in Dev*.bambu.com. Nothing for anything else; every text is checked or escaped,
/// and no input makes it allocate more than a few hundred bytes.
/// Source: the printers' announcements as public tools for them describe them.
std::optional<Finding> parse_bambu_announcement(std::string_view datagram);

}  // namespace firebreak::uplink
