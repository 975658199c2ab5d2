#pragma once

#include <nlohmann/json_fwd.hpp>

#include "agent/guard/core/guard_core.h"

namespace firebreak::guard {

class BlackBox;
class SlotWriter;

/// The answer to `status` (docs/cli.md): what the threads publish, with the age of every reading.
/// Never greener than the truth: what is unknown is null. Control thread; may allocate.
nlohmann::json status_report(const GuardCore& core, const BlackBox& box, const SlotWriter& slots,
                             std::int64_t now_ns);

/// Names of the causes in a set, worst kind first.
nlohmann::json cause_names(CauseSet causes);

}  // namespace firebreak::guard
