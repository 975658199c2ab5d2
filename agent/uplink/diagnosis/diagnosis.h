#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "agent/uplink/discovery/finding.h"
#include "agent/uplink/printers/printer_settings.h"
#include "common/base/result.h"

namespace firebreak::uplink {

/// Which printer, and whether services of this host may be restarted for it.
struct DiagnoseOrder {
  std::string printer;
  bool fix = false;
};

/// What this host knows of its printers.
struct HostView {
  std::vector<KnownPrinter> printers;
  std::vector<PrinterSettings> settings;  ///< Of the network printers; may be empty.
  std::string guard_problem;              ///< Empty: the guard answers.
  std::string settings_problem;           ///< Empty: `settings` are there, with their keys.
};

/// The runbook "a printer is offline" for the printer's kind, in order, until a step fails that the
/// later ones need. Blocks for at most some 50 s. Nothing is changed without `fix`, and with it no
/// service is restarted while a printer of this host prints or this one answers. The answer:
///   {"printer", "kind", "link", "repaired": BOOL,
///    "steps": [{"step", "outcome": "good"|"bad"|"unknown"|"repaired", "finding", "next"}]}
/// Whether it is back is for the asker to see in the guard's status: an answer of a service is not
/// one of a printer. Errors: not_found.
Result<nlohmann::json> diagnose(const DiagnoseOrder& order, HostView view,
                                const Cancelled& cancelled);

}  // namespace firebreak::uplink
