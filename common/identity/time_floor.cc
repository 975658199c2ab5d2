#include "common/identity/time_floor.h"

#include <charconv>

#include "common/identity/private_file.h"

namespace firebreak::identity {
namespace {

/// No honest time is later: mbedTLS's dates end with 9999, and a damaged file must not put every
/// certificate past its end for ever.
constexpr WallTime latest{std::chrono::sys_days{std::chrono::year{2200} / 1 / 1}};

}  // namespace

TimeFloor::TimeFloor(const Clock& clock, std::string path)
    : clock_(clock), path_(std::move(path)), floor_(build_date()), since_(clock.now()) {}

WallTime TimeFloor::build_date() { return WallTime{std::chrono::seconds{FIREBREAK_BUILD_DAY}}; }

Result<void> TimeFloor::load() {
  if (path_.empty()) return {};
  auto text = read_private_file(path_, 64);
  if (!text) {
    if (text.error().code == ErrorCode::not_found) return {};
    return fail(text.error());
  }
  std::int64_t milliseconds = 0;
  const char* end = text->data() + text->size();
  const auto [stop, code] = std::from_chars(text->data(), end, milliseconds);
  const WallTime saved{std::chrono::milliseconds{milliseconds}};
  if (code != std::errc{} || (stop != end && *stop != '\n') || saved > latest) {
    return fail(ErrorCode::corrupt,
                path_ +
                    ": not a saved time; certificates are judged by the build date until the "
                    "coordinator tells the time");
  }
  raise(saved);
  return {};
}

Result<void> TimeFloor::save() const {
  if (path_.empty()) return {};
  return write_private_file(path_, std::to_string(now().time_since_epoch().count()) + "\n");
}

WallTime TimeFloor::now() const {
  const std::scoped_lock lock(mutex_);
  return floor_ + std::chrono::duration_cast<std::chrono::milliseconds>(clock_.now() - since_);
}

void TimeFloor::raise(WallTime time) {
  const std::scoped_lock lock(mutex_);
  const MonotonicTime at = clock_.now();
  const WallTime present =
      floor_ + std::chrono::duration_cast<std::chrono::milliseconds>(at - since_);
  if (time <= present || time > latest) return;
  floor_ = time;
  since_ = at;
}

}  // namespace firebreak::identity
