#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "agent/uplink/printers/printer_settings.h"
#include "common/base/result.h"

namespace firebreak::uplink {

/// uplink.yaml as a value.
struct Settings {
  std::string agent;
  std::string guard_socket;
  std::string state_dir;
  std::string host;  ///< Empty: what the enrolment token named.
  std::uint16_t port = 0;
  std::vector<PrinterSettings> printers;
  std::chrono::milliseconds reconnect_min{1'000};
  std::chrono::milliseconds reconnect_max{60'000};
};

/// Reads and checks a configuration file. Errors: bad_input, as "file:line: message" lines.
Result<Settings> load_settings(const std::string& path);

/// The keys in which the two differ; none is taken over while running.
std::vector<std::string> keys_that_need_a_restart(const Settings& running, const Settings& wanted);

}  // namespace firebreak::uplink
