#pragma once

#include <algorithm>
#include <chrono>

#include "common/base/clock.h"

namespace firebreak::guard {

/// When to try a failed disk again: after 1 s, then twice as long each time, at most 30 s.
/// One thread.
class Retry {
 public:
  [[nodiscard]] bool due(MonotonicTime now) const noexcept { return now >= next_; }
  [[nodiscard]] bool failing() const noexcept { return wait_.count() > 0; }
  [[nodiscard]] MonotonicTime since() const noexcept { return since_; }

  void failed(MonotonicTime now) noexcept {
    if (!failing()) since_ = now;
    wait_ = std::clamp(wait_ * 2, first, longest);
    next_ = now + wait_;
  }
  void succeeded() noexcept {
    wait_ = {};
    next_ = {};
  }
  /// The reason of the last failure was removed: no need to wait.
  void now() noexcept { next_ = {}; }

 private:
  static constexpr std::chrono::nanoseconds first = std::chrono::seconds{1};
  static constexpr std::chrono::nanoseconds longest = std::chrono::seconds{30};
  std::chrono::nanoseconds wait_{};
  MonotonicTime next_{};
  MonotonicTime since_{};
};

}  // namespace firebreak::guard
