#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "agent/uplink/discovery/finding.h"
#include "agent/uplink/printers/printer_settings.h"

namespace firebreak::uplink {

/// The configured printers: names and connections by the guard's answer to `status` (any other
/// object: the guard does not answer), addresses of network printers by uplink.yaml.
std::vector<KnownPrinter> known_printers(const nlohmann::json& status,
                                         const std::vector<PrinterSettings>& settings);

/// Fills in what each address leads to: follows links to devices and asks the resolver for names.
/// Blocks as long as the resolver does.
void find_places(std::vector<KnownPrinter>& printers);

}  // namespace firebreak::uplink
