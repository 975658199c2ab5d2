#pragma once

#include <string>

#include "agent/uplink/settings.h"
#include "common/base/clock.h"
#include "common/base/result.h"

namespace firebreak::uplink {

/// Makes this agent known to a coordinator: a new key, which never leaves this host; a signing
/// request, sent with the token's secret to a coordinator that has proved to have the root which
/// the token names; the certificate that comes back. Nothing is written unless all of it holds.
/// Blocks for at most 30 s. Errors: bad_input (not a token, or for another agent), not_allowed (the
/// coordinator refuses, or is not the one of the token), unavailable.
Result<void> enroll(const Settings& settings, const std::string& token_text, const Clock& clock);

}  // namespace firebreak::uplink
