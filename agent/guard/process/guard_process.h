#pragma once

#include "agent/guard/config/guard_config.h"

namespace firebreak::guard {

/// Runs the guard until it is told to end: builds it, starts its threads in the order in which
/// they protect, and takes it down again. Returns the process's exit status: 0 for an orderly end,
/// 1 when it could not start. The main thread is the supervisor.
int run_guard(GuardConfig config);

}  // namespace firebreak::guard
