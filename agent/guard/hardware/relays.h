#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "agent/guard/config/guard_config.h"
#include "agent/guard/hardware/board.h"
#include "agent/guard/machine/machine.h"

namespace firebreak::guard {

/// One relay: its lines, the printers behind it, and what it was last told.
/// apply() belongs to the estop thread, pulse() to the supervisor; a pulse never closes a relay
/// that apply() has opened, because the drop line (or the missing permission) holds it open.
class Relay {
 public:
  /// Claims the lines in the open position, except that a heartbeat relay with `resume` keeps its
  /// drop line quiet, so that a short restart behind it costs no print.
  static Result<std::unique_ptr<Relay>> claim(const RelayConfig& config, Board& board, bool resume);

  [[nodiscard]] const RelayConfig& config() const noexcept { return config_; }
  [[nodiscard]] bool independent() const noexcept { return config_.heartbeat; }

  /// Printers whose heaters hang behind it, as indices; set once before threads start.
  std::vector<std::size_t> members;

  /// Open at once, or allow to be closed. Idempotent and non-blocking; false if a line refused.
  bool apply(bool closed) noexcept;

  /// One edge of the heartbeat, if closing is allowed. Plain relays need none.
  void pulse() noexcept;

  [[nodiscard]] bool commanded_closed() const noexcept {
    return allowed_.load(std::memory_order_acquire);
  }
  /// CLOCK_MONOTONIC of the last change of the command.
  [[nodiscard]] std::int64_t commanded_at_ns() const noexcept {
    return commanded_at_ns_.load(std::memory_order_acquire);
  }
  void mark_commanded(std::int64_t now_ns) noexcept {
    commanded_at_ns_.store(now_ns, std::memory_order_release);
  }

  [[nodiscard]] machine::Feedback feedback() const noexcept;

  /// Longest time from the command to an open contact: the contactor's 200 ms, and the hold time
  /// where no drop line cuts it short.
  [[nodiscard]] std::int64_t feedback_limit_ns() const noexcept;

 private:
  Relay(const RelayConfig& config, Board& board) : config_(config), board_(board) {}

  static constexpr std::size_t no_line = ~std::size_t{0};

  const RelayConfig config_;
  Board& board_;
  std::size_t main_ = no_line;
  std::size_t drop_ = no_line;
  std::size_t feedback_ = no_line;
  std::atomic<bool> allowed_{false};
  std::atomic<std::int64_t> commanded_at_ns_{0};
  std::atomic<bool> pulse_level_{false};
};

}  // namespace firebreak::guard
