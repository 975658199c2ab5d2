#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>

#include "common/base/result.h"

namespace firebreak::guard {

/// A change of a stop input. Level 1 is the released, current-carrying state of a normally closed
/// contact; 0 is pressed, or the wire cut.
struct InputEdge {
  std::size_t line = 0;  ///< Index that claim_input() gave.
  bool level = false;
  std::int64_t edge_ns = 0;  ///< CLOCK_MONOTONIC when the hardware saw it.
};

/// The lines of a host board: GPIO chips, or the simulator's socket. Lines are claimed once at
/// start; after that set() and read_changes() neither block, allocate nor lock.
class Board {
 public:
  virtual ~Board() = default;

  /// Claims a named line; the error names who holds it. Not for the estop thread.
  virtual Result<std::size_t> claim_input(const std::string& line) = 0;
  virtual Result<std::size_t> claim_output(const std::string& line, bool initial) = 0;

  /// Level of an input as last seen. Any thread.
  [[nodiscard]] virtual bool level(std::size_t line) const noexcept = 0;

  /// Drives an output. False if the hardware did not take it now. Any thread; never blocks.
  virtual bool set(std::size_t line, bool level) noexcept = 0;

  /// Descriptor to poll for input changes; only the estop thread reads it.
  [[nodiscard]] virtual int poll_fd() const noexcept = 0;

  /// Takes what has changed, oldest first, into `edges`; returns how many. `lost` becomes true
  /// when the hardware itself is gone: every input then counts as pressed.
  virtual std::size_t read_changes(std::span<InputEdge> edges, bool& lost) noexcept = 0;

  /// Newest value of an own sensor (°C, or A for a current) and its age's start; false if there is
  /// none yet.
  virtual bool own_reading(std::size_t line, float& value, std::int64_t& at_ns) const noexcept = 0;
};

}  // namespace firebreak::guard
