#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "coordinator/cli/context.h"

namespace firebreak::cli {

/// What `scan` is to look at and to print.
struct ScanRequest {
  std::string agent;  ///< Empty: every connected one.
  std::string host;
  std::string range;
  bool lines = false;         ///< Print the configuration lines of what is new.
  std::string probe;          ///< A serial port of this host to be opened; empty: none.
  bool yes = false;           ///< The warning of `probe` was read before.
  std::string uplink_config;  ///< Of this host, for what is configured.
};

/// `scan`: asks agents what they can see, and shows it against what is configured anywhere.
Done fleet_scan(Context& context, const ScanRequest& request);
/// `local scan`: the same of this host, without a coordinator.
Done local_scan(Context& context, const ScanRequest& request);

/// Findings of several agents as one list: what one agent has configured is not new to another, and
/// two agents with one printer are both told of it. Each finding bears its "agent".
nlohmann::json join_findings(std::vector<nlohmann::json> findings);

/// The lines of guard.yaml and uplink.yaml for what is new, with the names still to be chosen.
std::string configuration_lines(const nlohmann::json& findings);

/// Opens one serial port, asks M115, and shows the answer. Opening resets many boards and thereby
/// ends a print: without `yes` it only says so.
Done probe_port(Context& context, const std::string& port, bool yes);

}  // namespace firebreak::cli
