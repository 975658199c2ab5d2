#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/uplink/discovery/finding.h"
#include "agent/uplink/discovery/host_range.h"
#include "agent/uplink/printers/http_worker.h"

namespace firebreak::uplink {

/// What an answer to the probe of `path` shows of who answers, without any key; nothing where it
/// shows none of the kinds that we know. Kind, name and claims are filled in, the address is not.
/// Sources: the HTTP interfaces of Moonraker, OctoPrint, PrusaLink and RepRapFirmware.
std::optional<Finding> recognise(std::string_view path, const HttpAnswer& answer);

/// What became of a round of probes.
struct ProbeRound {
  std::vector<Finding> found;
  std::size_t not_reached = 0;  ///< Hosts that were not asked any more: the time was over.
};

/// Asks each host which kind of printer it is: few hosts at once, one question at a time to each,
/// no credentials, no redirects, short time-outs. A host without a port is asked at 80, 7125
/// (Moonraker) and 5000 (OctoPrint), until one is recognised. Blocks, at most for `time`.
ProbeRound probe_hosts(const std::vector<HostAndPort>& hosts, std::chrono::milliseconds time,
                       const Cancelled& cancelled);

}  // namespace firebreak::uplink
