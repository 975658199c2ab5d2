#pragma once

#include <chrono>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "common/base/result.h"

namespace firebreak::uplink {

/// One network printer of uplink.yaml.
struct PrinterSettings {
  std::string name;
  std::string kind;     ///< moonraker, octoprint, prusalink, reprapfirmware, bambu.
  std::string address;  ///< "http://host[:port]", or a host name for bambu.
  std::string key;      ///< API key, password or access code: read from its 0600 file.
  std::string user;     ///< prusalink; "maker" where it is not given.
  std::string serial;   ///< bambu: also the name in the printer's certificate.
  std::string public_key_pin;
  std::string expected_uuid, expected_machine;
  std::chrono::milliseconds every{1000};

  bool operator==(const PrinterSettings&) const = default;
};

/// The `printers` of a checked uplink.yaml. A key's file must be readable by its owner alone, and
/// holds one line of at most 256 bytes. Errors: bad_input, with the printer and what to do.
/// `folder` is that of the configuration: relative paths count from it.
Result<std::vector<PrinterSettings>> read_printers(const nlohmann::json& configuration,
                                                   const std::filesystem::path& folder);

}  // namespace firebreak::uplink
