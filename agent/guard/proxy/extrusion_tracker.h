#pragma once

#include <cstdint>
#include <string_view>

#include "agent/guard/core/shared.h"

namespace firebreak::guard {

/// How much plastic a host's G-code extrudes, in mm³/s: E of G0…G3 over the time that its path
/// takes at F. Understands M82/M83, G90/G91, G92 E, M221 and T; the path's length counts X, Y and
/// Z as far as they are told. A line on its way is not yet a line that moves: the mean of the last
/// seconds is meant, not the instant. Bounded: any bytes, no allocation, every value clamped; what
/// it cannot understand it leaves out. Link thread.
class ExtrusionTracker {
 public:
  /// A host's line as it passed to the printer. `now_ns`: CLOCK_MONOTONIC.
  void take(std::string_view line, std::int64_t now_ns) noexcept;

  /// Mean flow of the moves under way at `now_ns`; NaN before the first move was seen.
  [[nodiscard]] float flow(std::int64_t now_ns) noexcept;

  void reset() noexcept { *this = ExtrusionTracker{}; }

 private:
  void move(std::string_view parameters, std::int64_t now_ns) noexcept;
  void settle(std::int64_t now_ns) noexcept;

  bool seen_ = false;
  bool relative_e_ = false;
  bool relative_ = false;
  double factor_ = 1;  ///< M221.
  double e_ = 0;       ///< mm of filament.
  double x_ = 0, y_ = 0, z_ = 0;
  double feed_ = 25;       ///< mm/s.
  double waiting_mm_ = 0;  ///< Filament of moves that are not yet done …
  double waiting_s_ = 0;   ///< … and the time that they take.
  double flow_ = 0;        ///< mm³/s, mean.
  std::int64_t at_ns_ = 0;
};

}  // namespace firebreak::guard
