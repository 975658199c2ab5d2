#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "agent/uplink/discovery/finding.h"
#include "agent/uplink/discovery/host_range.h"

namespace firebreak::uplink {

/// What one scan is to look at, beside what every scan looks at: the serial ports (none is opened),
/// multicast DNS, and Bambu's announcements.
struct ScanOrder {
  std::vector<HostAndPort> hosts;  ///< To be asked by HTTP, without any credentials.
};

/// Reads {"host": TEXT, "range": TEXT}, each of which may be missing. Errors: bad_input.
Result<ScanOrder> read_scan_order(const nlohmann::json& arguments);

/// Scans, compares with what is configured, and blocks for some 7 s, with hosts at most 50 s.
/// Configured printers are not asked: what the guard knows of them counts. The answer:
/// {"findings": [Finding…], "problems": [TEXT…]}; one part that fails is a problem in words, and
/// the others go on.
nlohmann::json scan(const ScanOrder& order, std::vector<KnownPrinter> known,
                    const Cancelled& cancelled);

}  // namespace firebreak::uplink
