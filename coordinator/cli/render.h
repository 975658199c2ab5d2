#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "coordinator/cli/console.h"

namespace firebreak::cli {

/// Tables of what the guard and the coordinator report: the two speak of a printer in the same
/// fields, and the coordinator adds whose it is. Unknown is written "?", never 0 and never blank
/// where a person would read it as good.

/// Printers, one a row: PRINTER [AGENT] STATE STOP LATCH CAUSE HEATERS LINK NOTES.
Table printers_table(const nlohmann::json& printers, bool with_agent);
/// One printer, one fact a row.
Table printer_facts(const nlohmann::json& printer);
/// Agents, one a row: AGENT STATE SEEN PRINTERS SOFTWARE NOTES.
Table agents_table(const nlohmann::json& agents);

/// One event as cells TIME SEVERITY PRINTER KIND TEXT, and the widths of all but the last.
std::vector<Cell> event_cells(const nlohmann::json& event);
std::vector<int> event_widths();

/// "hotend 214.9/215 bed ?/60": reading/target of each heater; a reading that is not trusted or
/// older than 5 s is "?".
std::string heaters_text(const nlohmann::json& printer);

Tone tone_of_state(const std::string& state);
/// The words of the outcome of a stop: "stopped and proven", "sent, not proven — pull the power",
/// "not sent — pull the power"; "-" where there was none.
std::string outcome_text(const std::string& outcome);

/// "comma, separated" from a list of strings.
std::string joined(const nlohmann::json& list);

}  // namespace firebreak::cli
