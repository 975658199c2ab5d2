#pragma once

#include <string>
#include <vector>

#include "agent/guard/core/guard_core.h"

namespace firebreak::guard {

/// Who asks for a reset, and what that person says.
struct ResetClaim {
  ResetRight right = ResetRight::grant;  ///< machine: a person at the machine; grant: a signed one.
  std::uint32_t latch_number = 0;
  double measured_celsius = -1000;  ///< Below absolute zero: nothing measured.
  bool number_needed = true;        ///< A grant answers a challenge instead of a number.
};

/// Everything that stands in the way of resetting `printer` now, each a sentence that says what to
/// do; empty means that the reset is valid. Any thread; reads only what the threads publish.
std::vector<std::string> reset_blockers(const GuardCore& core, const PrinterRuntime& printer,
                                        const ResetClaim& claim, std::int64_t now_ns);

}  // namespace firebreak::guard
