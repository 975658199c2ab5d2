#pragma once

#include "agent/guard/config/guard_config.h"
#include "agent/guard/core/shared.h"
#include "agent/guard/links/report_parser.h"

namespace firebreak::guard {

/// Copies the answer to M115 into `out`.
void describe_identity(const ParsedLine& info, PrinterIdentity& out) noexcept;

/// True if the answer to M115 is that of the configured printer: every expectation that the
/// configuration states must be met exactly (letters of either case in the uuid).
[[nodiscard]] bool identity_matches(const ParsedLine& info, const PrinterConfig& config) noexcept;

}  // namespace firebreak::guard
