#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace firebreak::uplink {

/// Pauses between attempts to connect: each is drawn between half and the whole of a bound that
/// doubles from `min` to `max`, so that a thousand agents whose coordinator restarted do not come
/// in one wave. One thread.
class Backoff {
 public:
  Backoff(std::chrono::milliseconds min, std::chrono::milliseconds max)
      : min_(std::min(min, max)), max_(max), bound_(min_) {}

  /// The next pause; `random` is any 32 random bits.
  std::chrono::milliseconds next(std::uint32_t random) {
    const auto half = bound_ / 2;
    const auto pause = half + half * (random & 0xffffu) / 0xffffu;
    bound_ = std::min(max_, bound_ * 2);
    return std::max(pause, std::chrono::milliseconds{1});
  }

  /// A session has held for a while: the next loss begins again at `min`.
  void reset() { bound_ = min_; }

 private:
  const std::chrono::milliseconds min_;
  const std::chrono::milliseconds max_;
  std::chrono::milliseconds bound_;
};

}  // namespace firebreak::uplink
