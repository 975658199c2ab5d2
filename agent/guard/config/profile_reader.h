#pragma once

#include "agent/guard/config/guard_config.h"
#include "agent/guard/config/problems.h"
#include "common/config/config.h"

namespace firebreak::guard {

/// Turns a validated profile document into a profile and adds what no schema can say to
/// `problems`.
PrinterProfile read_profile(const config::Document& document, Problems& problems);

}  // namespace firebreak::guard
