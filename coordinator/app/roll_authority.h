#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/identity/authority.h"

namespace firebreak::coordinator {

/// Replaces the certificate authority without enrolling anybody anew (docs/protocol.md, "A new
/// authority"): the next one is announced to agents beside the present one, then takes its place
/// while the old one's certificates still count, then the old one is forgotten. Each step is taken
/// while the coordinator is stopped, and may be repeated after a crash in the middle of it.

/// The roots that agents shall trust, and whose certificates count, PEM: the present one first.
Result<std::string> trusted_roots(const std::filesystem::path& state_dir,
                                  const identity::Authority& present);

/// `step`: "prepare", "switch" or "forget". Returns what happened and what to do next, for a
/// person. Errors: unavailable (the coordinator runs), refused (out of order), not_found,
/// bad_input.
Result<std::string> roll_authority(const std::filesystem::path& state_dir, std::string_view step,
                                   WallTime now);

}  // namespace firebreak::coordinator
