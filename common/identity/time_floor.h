#pragma once

#include <algorithm>
#include <mutex>
#include <string>

#include "common/base/clock.h"
#include "common/base/result.h"

namespace firebreak::identity {

/// A time that the true time cannot be before: the newest of the program's build date, the last
/// saved time and the times that an authenticated coordinator told, carried on by the monotonic
/// clock. Certificates are judged against it, so a host without a battery clock connects in 1970
/// and a wall clock that is set to and fro changes nothing.
/// Thread-safe.
class TimeFloor {
 public:
  /// `path`: where the time is kept over restarts; empty keeps it in memory only. `clock` must
  /// outlive the object.
  TimeFloor(const Clock& clock, std::string path);

  /// The day on which this program was built.
  static WallTime build_date();

  /// Takes up the saved time. A missing file is not an error; one that does not read is (corrupt),
  /// and the floor then is the build date.
  Result<void> load();

  /// Keeps now() on disk, atomically. Cheap enough for once a minute; not for every message.
  Result<void> save() const;

  [[nodiscard]] WallTime now() const;

  /// Somebody who is trusted with the time says it is `time`. Earlier than now() is ignored.
  void raise(WallTime time);

 private:
  const Clock& clock_;
  const std::string path_;
  mutable std::mutex mutex_;
  WallTime floor_;         ///< Guarded by mutex_; true at since_.
  MonotonicTime since_{};  ///< Guarded by mutex_.
};

/// A clock whose time of day never goes back behind a time floor, for whoever judges the end of
/// something: set back by a year, it revives nothing. Thread-safe.
class FlooredClock final : public Clock {
 public:
  /// Both must outlive the clock.
  FlooredClock(const Clock& clock, const TimeFloor& floor) : clock_(clock), floor_(floor) {}
  [[nodiscard]] MonotonicTime now() const noexcept override { return clock_.now(); }
  [[nodiscard]] WallTime wall() const noexcept override {
    return std::max(clock_.wall(), floor_.now());
  }

 private:
  const Clock& clock_;
  const TimeFloor& floor_;
};

}  // namespace firebreak::identity
