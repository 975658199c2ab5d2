#pragma once

#include <string_view>

#include "agent/guard/config/guard_config.h"
#include "agent/guard/core/shared.h"
#include "agent/guard/links/report_parser.h"

namespace firebreak::guard {

/// Copies the answer to M115 into `out`.
void describe_identity(const ParsedLine& info, PrinterIdentity& out) noexcept;

/// True if the answer to M115 is that of the configured printer: every expectation that the
/// configuration states must be met exactly (letters of either case in the uuid).
[[nodiscard]] bool identity_matches(const ParsedLine& info, const PrinterConfig& config) noexcept;

/// The same for links whose printers do not answer M115.
struct IdentityText {
  std::string_view firmware, machine, uuid;
};
void describe_identity(const IdentityText& text, PrinterIdentity& out) noexcept;
[[nodiscard]] bool identity_matches(const IdentityText& text, const PrinterConfig& config) noexcept;

}  // namespace firebreak::guard
