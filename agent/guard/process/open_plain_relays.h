#pragma once

#include "agent/guard/config/guard_config.h"
#include "common/base/result.h"

namespace firebreak::guard {

/// Opens every plain relay of the board, for ExecStopPost= after an abnormal end: a plain level may
/// outlive the guard, and a doubt is a stop. Relays behind a heartbeat are left alone: they open by
/// themselves, and a short restart behind one costs no print. `service_result` is systemd's
/// $SERVICE_RESULT; after "success" nothing is touched.
Result<void> open_plain_relays(const GuardConfig& config, std::string_view service_result);

}  // namespace firebreak::guard
