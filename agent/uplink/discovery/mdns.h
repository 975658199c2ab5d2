#pragma once

#include <chrono>
#include <vector>

#include "agent/uplink/discovery/finding.h"
#include "common/base/result.h"

namespace firebreak::uplink {

/// What printers and their servers announce by multicast DNS, asked of this host's avahi-daemon.
/// Blocks for `time`; sends nothing but avahi's own questions. Errors: unavailable (no
/// avahi-daemon or no D-Bus; the message says which and what to install).
Result<std::vector<Finding>> browse_mdns(std::chrono::milliseconds time,
                                         const Cancelled& cancelled);

}  // namespace firebreak::uplink
