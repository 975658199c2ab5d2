#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace firebreak::uplink {

/// Whether something accepts connections there. Blocks, at most for `time`. Errors: unavailable,
/// with the kernel's word (refused, no route, no answer).
Result<void> connect_to(const std::string& address, int port, std::chrono::milliseconds time);

/// Whether an IPv4 address is one of this host's own.
bool is_this_host(const std::string& address);

/// The newest of the kernel's messages that have one of `words` in them, escaped, oldest first.
/// Errors: not_allowed (kernel.dmesg_restrict; the message says what a person types instead).
Result<std::vector<std::string>> kernel_messages(const std::vector<std::string>& words,
                                                 std::size_t most);

/// What systemd says of a service of this host.
enum class ServiceState { not_here, active, failed, stopped, unknown };
ServiceState service_state(const std::string& service);
/// `systemctl restart`, without asking for a password, at most 20 s. Errors: not_allowed (no
/// right), unavailable (it did not start), with systemctl's first line.
Result<void> restart_service(const std::string& service);

}  // namespace firebreak::uplink
