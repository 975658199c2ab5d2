#include "tests/simulator/motion.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace firebreak::sim {
namespace {

constexpr char kAxisNames[] = "XYZE";
// M92, M201 and M203 of the recorded build.
constexpr double kStepsPerMm[] = {80, 80, 400, 500};
constexpr double kMaxSpeed[] = {300, 300, 5, 25};
constexpr double kAcceleration[] = {3000, 3000, 100, 10000};
// The planner lets a first move wait for company.
constexpr Nanos kFirstMoveDelay = std::chrono::milliseconds(100);
constexpr double kFilamentArea = 2.405;  // 1.75 mm
constexpr std::size_t kExtruderAxis = 3;

Nanos from_seconds(double seconds) { return Nanos{static_cast<std::int64_t>(seconds * 1e9)}; }

}  // namespace

std::optional<Move> Motion::plan(const Command& command, bool cold, bool* refused_extrusion) {
  std::array<double, kAxes> goal = position_;
  for (std::size_t axis = 0; axis < kAxes; ++axis) {
    const auto value = command.value(kAxisNames[axis]);
    if (!value) continue;
    const bool relative = axis == kExtruderAxis ? relative_extruder_ : relative_;
    goal[axis] = relative ? position_[axis] + *value : *value;
  }
  if (const auto feed = command.value('F'); feed && *feed > 0) feed_mm_per_s_ = *feed / 60;
  std::array<double, kAxes> delta{};
  for (std::size_t axis = 0; axis < kAxes; ++axis) delta[axis] = goal[axis] - position_[axis];
  Move move;
  move.start = position_;
  move.end = goal;
  position_ = goal;
  if (cold && delta[3] != 0) {
    *refused_extrusion = true;
    delta[3] = 0;
  }
  move.duration = duration(delta);
  if (move.duration <= Nanos{0}) return std::nullopt;
  const double seconds = std::chrono::duration<double>(move.duration).count();
  move.flow = std::max(0.0, delta[3]) * kFilamentArea / seconds;
  return move;
}

Nanos Motion::duration(const std::array<double, kAxes>& delta) const {
  const double travel = std::hypot(delta[0], delta[1], delta[2]);
  const double length = travel > 0 ? travel : std::abs(delta[3]);
  if (length < 1e-6) return Nanos{0};
  double speed = feed_mm_per_s_ * feed_percent / 100;
  double acceleration = 1e9;
  for (std::size_t axis = 0; axis < kAxes; ++axis) {
    const double share = std::abs(delta[axis]) / length;
    if (share < 1e-9) continue;
    speed = std::min(speed, kMaxSpeed[axis] / share);
    acceleration = std::min(acceleration, kAcceleration[axis] / share);
  }
  // From half speed to half speed: corners are slowed down, not stopped at.
  return from_seconds((length / speed + speed / (4 * acceleration)) * slowness_);
}

void Motion::push(const Move& move, Nanos now) {
  if (blocks_.empty()) block_end_ = now + kFirstMoveDelay + move.duration;
  blocks_.push_back(move);
}

void Motion::advance(Nanos now) {
  while (!blocks_.empty() && block_end_ <= now) {
    blocks_.pop_front();
    if (!blocks_.empty()) block_end_ += blocks_.front().duration;
  }
}

std::optional<Nanos> Motion::next_end() const {
  if (blocks_.empty()) return std::nullopt;
  return block_end_;
}

void Motion::quick_stop(Nanos now) {
  if (blocks_.empty()) return;
  const Move& move = blocks_.front();
  const double left = std::chrono::duration<double>(block_end_ - now) /
                      std::chrono::duration<double>(move.duration);
  const double done = std::clamp(1 - left, 0.0, 1.0);
  for (std::size_t axis = 0; axis < kAxes; ++axis) {
    position_[axis] = move.start[axis] + (move.end[axis] - move.start[axis]) * done;
  }
  blocks_.clear();
}

void Motion::set_position(const Command& command) {
  for (std::size_t axis = 0; axis < kAxes; ++axis) {
    const auto value = command.value(kAxisNames[axis]);
    if (!value) continue;
    offset_[axis] += position_[axis] - *value;
    position_[axis] = *value;
  }
}

void Motion::set_home() {
  for (std::size_t axis = 0; axis < 3; ++axis) position_[axis] = offset_[axis] = 0;
}

std::string Motion::report() const {
  long count[3];
  for (std::size_t axis = 0; axis < 3; ++axis) {
    count[axis] = std::lround((position_[axis] + offset_[axis]) * kStepsPerMm[axis]);
  }
  char text[160];
  std::snprintf(text, sizeof text, "X:%.2f Y:%.2f Z:%.2f E:%.2f Count X:%ld Y:%ld Z:%ld",
                position_[0], position_[1], position_[2], position_[3], count[0], count[1],
                count[2]);
  return text;
}

}  // namespace firebreak::sim
