#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <optional>

#include "common/base/clock.h"
#include "common/wire/messages.h"

namespace firebreak::uplink {

/// The nonces that this agent has issued: one goes out with every telemetry, and a command lives
/// from when its nonce was issued, on this host's monotonic clock. So no clock but our own decides
/// whether a command is late, and a command from before a restart is unknown. One thread.
class Nonces {
 public:
  /// One telemetry a second for as long as the longest time-to-live, and as much again.
  static constexpr std::size_t remembered = 128;
  static_assert(remembered * wire::telemetry_interval >= 2 * wire::ttl_max);

  /// Makes and remembers one; the oldest is forgotten.
  wire::Nonce issue(MonotonicTime now);

  /// When `nonce` was issued; none when it is unknown or forgotten.
  [[nodiscard]] std::optional<MonotonicTime> issued(const wire::Nonce& nonce) const;

 private:
  struct Issued {
    wire::Nonce nonce{};
    MonotonicTime at{};
    bool used = false;
  };
  std::array<Issued, remembered> ring_{};
  std::size_t next_ = 0;
};

}  // namespace firebreak::uplink
