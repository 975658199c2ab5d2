#pragma once

#include <nlohmann/json_fwd.hpp>

#include "agent/guard/core/guard_core.h"

namespace firebreak::guard {

/// What is proven of a printer's protection before it heats, in the order of the safety concept:
/// press test, relay and feedback, stop bytes, identity, everything cold. Each item is "done",
/// "failed" or "unknown", with what was seen and what to do next; nothing is assumed. Read-only.
nlohmann::json commission_check(const GuardCore& core, const PrinterRuntime& printer,
                                std::int64_t now_ns);

}  // namespace firebreak::guard
