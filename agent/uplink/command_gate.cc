#include "agent/uplink/command_gate.h"

#include <fmt/format.h>

#include <algorithm>

namespace firebreak::uplink {

bool CommandGate::greet(std::uint64_t epoch) {
  const bool good = epoch >= epoch_;
  epoch_ = std::max(epoch_, epoch);
  return good;
}

Result<void> CommandGate::judge(const wire::Command& command, MonotonicTime now) {
  if (command.verb == "stop") return {};
  std::erase_if(seen_, [now](const auto& entry) { return entry.second <= now; });
  if (command.epoch < epoch_) {
    return fail(ErrorCode::refused, fmt::format("its epoch {} is older than {}: it is from before "
                                                "a restore of the coordinator",
                                                command.epoch, epoch_));
  }
  if (seen_.contains(command.id)) {
    return fail(ErrorCode::refused, "its id was used before: it is a replay");
  }
  if (command.ttl <= std::chrono::milliseconds{0} || command.ttl > wire::ttl_max) {
    return fail(ErrorCode::refused,
                fmt::format("its time-to-live is not within 1 ms and {} s", wire::ttl_max.count()));
  }
  const auto issued = nonces_.issued(command.nonce);
  if (!issued) return fail(ErrorCode::refused, "its nonce is not one that this agent remembers");
  if (now >= *issued + command.ttl) {
    return fail(
        ErrorCode::refused,
        fmt::format("it came {} ms after its nonce and was good for {} ms",
                    std::chrono::duration_cast<std::chrono::milliseconds>(now - *issued).count(),
                    command.ttl.count()));
  }
  if (seen_.size() >= ids_max) {
    return fail(ErrorCode::refused, "too many commands within a minute");
  }
  epoch_ = std::max(epoch_, command.epoch);
  seen_[command.id] = *issued + wire::ttl_max;
  return {};
}

}  // namespace firebreak::uplink
