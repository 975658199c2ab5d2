#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "agent/guard/blackbox/black_box.h"
#include "agent/guard/blackbox/record.h"

namespace firebreak::guard {

/// Milliseconds since 1970 as "2027-01-15T08:00:00.123Z".
[[nodiscard]] std::string rfc3339(std::int64_t wall_ms);

/// A record as the protocol's event, without "log", "seq" and "hash". Text that is not UTF-8 or
/// has control characters is escaped; data that is not a small JSON object is kept under "raw".
[[nodiscard]] nlohmann::json to_event(const BlackBoxRecord& record, const std::string& boot_id,
                                      const std::vector<BlackBoxPrinter>& printers);

}  // namespace firebreak::guard
