#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "agent/guard/core/guard_core.h"

namespace firebreak::guard {

/// What is proven of a printer's protection before it heats, in the order of the safety concept:
/// press test, relay and feedback, stop bytes, identity, everything cold, and the models. Each item
/// is "done", "failed" or "unknown", with what was seen and what to do next; nothing is assumed.
/// "blocks": it must be done before the guard heats. "ready": nothing blocks. Read-only.
nlohmann::json commission_check(const GuardCore& core, const PrinterRuntime& printer);

/// What keeps the guard from heating this printer now, each a sentence; empty = nothing. What the
/// machine does not have (a button, a relay, a feedback contact) does not block, what it has and
/// was not tried does.
std::vector<std::string> heat_up_blockers(const GuardCore& core, const PrinterRuntime& printer);

}  // namespace firebreak::guard
