#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "agent/uplink/discovery/finding.h"
#include "common/base/result.h"

namespace firebreak::uplink {

/// Where Bambu printers announce themselves, every 5 s or so.
inline constexpr std::uint16_t bambu_announcement_port = 2021;

/// Listens for announcements for `time`, blocking; sends nothing. Each serial number counts once,
/// at the first address that it tells. Errors: unavailable (the port is taken by another program).
Result<std::vector<Finding>> listen_for_bambu(std::chrono::milliseconds time,
                                              const Cancelled& cancelled,
                                              std::uint16_t port = bambu_announcement_port);

}  // namespace firebreak::uplink
