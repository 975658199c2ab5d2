#pragma once

#include <string>

#include "agent/uplink/diagnosis/diagnosis.h"
#include "coordinator/cli/context.h"

namespace firebreak::cli {

/// What this host's guard and its uplink.yaml say of its printers; what cannot be had is a problem
/// in words. `uplink_config` holds keys: only root and the uplink's user may read all of it.
uplink::HostView view_of_this_host(const Context& context, const std::string& uplink_config);

}  // namespace firebreak::cli
