#pragma once

#include <map>
#include <string>

#include "agent/uplink/nonces.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/wire/messages.h"

namespace firebreak::uplink {

/// Decides whether a command may be carried out. A stop always may. Anything else must be from the
/// present epoch or a newer one, answer a nonce of ours within its time-to-live, and be new. What
/// is refused here was never tried. One thread, no clock of its own.
class CommandGate {
 public:
  /// Ids are remembered for as long as any nonce that could carry them again; more commands than
  /// this within that time are refused, and none is forgotten early.
  static constexpr std::size_t ids_max = 1024;

  CommandGate(const Nonces& nonces, std::uint64_t epoch) : nonces_(nonces), epoch_(epoch) {}

  /// The coordinator's epoch as it greets. False when it is older than one that this agent has
  /// seen: the coordinator went back in time, and its commands will be refused.
  bool greet(std::uint64_t epoch);

  /// Errors: refused, with the reason. On success the id is used up.
  Result<void> judge(const wire::Command& command, MonotonicTime now);

  /// The newest epoch seen; kept on disk by the owner.
  [[nodiscard]] std::uint64_t epoch() const { return epoch_; }

 private:
  const Nonces& nonces_;
  std::uint64_t epoch_;
  std::map<std::string, MonotonicTime> seen_;  ///< Id, and until when it must be remembered.
};

}  // namespace firebreak::uplink
