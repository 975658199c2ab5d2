#include "common/base/clock.h"

#include <time.h>

namespace firebreak {
namespace {

std::chrono::nanoseconds read_clock(clockid_t id) noexcept {
  timespec t{};
  clock_gettime(id, &t);
  return std::chrono::seconds{t.tv_sec} + std::chrono::nanoseconds{t.tv_nsec};
}

}  // namespace

MonotonicTime SystemClock::now() const noexcept {
  return MonotonicTime{read_clock(CLOCK_MONOTONIC)};
}

WallTime SystemClock::wall() const noexcept {
  return WallTime{
      std::chrono::duration_cast<std::chrono::milliseconds>(read_clock(CLOCK_REALTIME))};
}

}  // namespace firebreak
