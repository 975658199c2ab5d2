#pragma once

#include <string>

#include "coordinator/cli/context.h"

namespace firebreak::cli {

struct DiagnoseRequest {
  std::string printer;
  bool fix = false;           ///< Restart services of the printer's host.
  std::string uplink_config;  ///< Of this host, for `local`.
};

/// `diagnose`: the runbook "a printer is offline", through the printer's agent. done only if the
/// printer answers its guard at the end; else check_says_no.
Done fleet_diagnose(Context& context, const DiagnoseRequest& request);
/// `local diagnose`: the same on the printer's host, without a coordinator.
Done local_diagnose(Context& context, const DiagnoseRequest& request);

}  // namespace firebreak::cli
