#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace firebreak {

/// Time since boot that no person and no time server can move (CLOCK_MONOTONIC). All safety times
/// are of this kind.
struct MonotonicClock {
  using rep = std::int64_t;
  using period = std::nano;
  using duration = std::chrono::nanoseconds;
  using time_point = std::chrono::time_point<MonotonicClock>;
  static constexpr bool is_steady = true;
};
using MonotonicTime = MonotonicClock::time_point;

/// Time of day, for people only: it may jump, and no decision of safety or order reads it.
using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;

/// Where every part of the product gets its time from, so that a test can own it.
/// Thread-safe: any thread may call either function.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual MonotonicTime now() const noexcept = 0;
  [[nodiscard]] virtual WallTime wall() const noexcept = 0;
};

/// The kernel's clocks.
class SystemClock final : public Clock {
 public:
  [[nodiscard]] MonotonicTime now() const noexcept override;
  [[nodiscard]] WallTime wall() const noexcept override;
};

/// A clock that stands still until told to move. For tests: one thread moves it, any may look.
class ManualClock final : public Clock {
 public:
  [[nodiscard]] MonotonicTime now() const noexcept override { return now_.load(); }
  [[nodiscard]] WallTime wall() const noexcept override { return wall_.load(); }

  /// Moves both clocks on by `step`.
  void advance(std::chrono::nanoseconds step) noexcept {
    now_ = now_.load() + step;
    wall_ = wall_.load() + std::chrono::duration_cast<std::chrono::milliseconds>(step);
  }
  /// Sets the time of day alone, as a person or a time server would.
  void set_wall(WallTime wall) noexcept { wall_ = wall; }

 private:
  std::atomic<MonotonicTime> now_{MonotonicTime{std::chrono::seconds{1000}}};
  std::atomic<WallTime> wall_{WallTime{std::chrono::seconds{1'800'000'000}}};
};

}  // namespace firebreak
