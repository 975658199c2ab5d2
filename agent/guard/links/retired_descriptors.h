#pragma once

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "common/base/clock.h"

namespace firebreak::guard {

/// Descriptors that a link has given up and the stop thread may still hold the number of: they stay
/// open a while, so that it never writes into another file. One thread.
class RetiredDescriptors {
 public:
  /// Outlives every deadline of the stop thread (100 ms) by far.
  static constexpr std::chrono::seconds retire_after{2};

  RetiredDescriptors() = default;
  ~RetiredDescriptors() {
    for (const auto& old : retired_) {
      if (old.fd >= 0) ::close(old.fd);
    }
  }
  RetiredDescriptors(const RetiredDescriptors&) = delete;
  RetiredDescriptors& operator=(const RetiredDescriptors&) = delete;

  /// Takes `fd` over. Where there is no room the oldest is closed at once.
  void add(int fd, MonotonicTime now) noexcept {
    auto* slot = std::min_element(retired_.begin(), retired_.end(), [](auto& a, auto& b) {
      return a.fd < 0 ? b.fd >= 0 : (b.fd >= 0 && a.since < b.since);
    });
    if (slot->fd >= 0) ::close(slot->fd);
    *slot = {fd, now};
  }

  /// Closes those whose time has come, each after `before_close(fd)`.
  template <class Before>
  void collect(MonotonicTime now, Before before_close) noexcept {
    for (auto& old : retired_) {
      if (old.fd < 0 || now - old.since < retire_after) continue;
      before_close(old.fd);
      ::close(old.fd);
      old.fd = -1;
    }
  }
  void collect(MonotonicTime now) noexcept {
    collect(now, [](int) {});
  }

 private:
  struct Retired {
    int fd = -1;
    MonotonicTime since{};
  };
  std::array<Retired, 4> retired_{};
};

}  // namespace firebreak::guard
