#pragma once

#include <memory>

#include "agent/guard/core/guard_core.h"
#include "agent/guard/latch/slots.h"
#include "common/base/result.h"

namespace firebreak::guard {

/// What a start found out that somebody should be told, beside the latches themselves.
struct StartReport {
  machine::Start kind = machine::Start::bad_slot;
  std::int64_t gap_ns = 0;  ///< Since the last pulse; 0 on a new boot.
  std::uint32_t boots = 0;
  std::string slot_error;  ///< Empty if a slot was readable.
};

/// Builds the guard from its configuration: board, inputs, mapped memory, printers with what an
/// earlier run left of them, relays in the position that their printers' memory allows. Drives no
/// output before the machine has decided about the start: relays are claimed open, except that a
/// heartbeat relay whose printers go on keeps its drop line quiet.
/// On return the estop loop's start() still has to be called, then core.mapped->publish().
Result<std::unique_ptr<GuardCore>> build_core(GuardConfig config, DescriptorKeeper& keeper,
                                              Slots& slots, const Clock& clock,
                                              StartReport& report);

}  // namespace firebreak::guard
