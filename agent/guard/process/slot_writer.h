#pragma once

#include <cstdint>
#include <string>

#include "agent/guard/blackbox/record.h"
#include "agent/guard/core/guard_core.h"
#include "agent/guard/latch/slots.h"

namespace firebreak::guard {

/// Copies every change of a latch from memory to the slots on disk, on a thread of its own: a card
/// that stalls delays nobody else. Between an edge and its slot the mapped memory holds the latch.
class SlotWriter {
 public:
  SlotWriter(GuardCore& core, Slots slots, EventQueue& events, const Clock& clock,
             std::uint32_t boots);

  /// Writes if something changed since the last successful write. May block on the disk.
  void run_once() noexcept;

  /// run_once() until core.end, 20 times a second.
  void run() noexcept;

  /// Why the last write failed, for status; empty while all is well. Any thread.
  [[nodiscard]] bool failing() const noexcept { return failing_.load(std::memory_order_acquire); }

 private:
  SlotContent snapshot() noexcept;

  GuardCore& core_;
  Slots slots_;
  EventQueue& events_;
  const Clock& clock_;
  SlotContent written_;
  std::uint32_t boots_;
  std::int64_t started_ns_;
  std::int64_t tried_ns_ = 0;
  std::atomic<bool> failing_{false};
  bool ever_written_ = false;
};

}  // namespace firebreak::guard
