#include "tests/simulator/kinds/print_job.h"

#include <algorithm>

namespace firebreak::sim {

void PrintJob::start(std::string name, std::string gcode, Nanos now) {
  name_ = std::move(name);
  gcode_ = std::move(gcode);
  position_ = 0;
  started_ = now;
  paused_for_ = Nanos{0};
  state_ = State::printing;
}

void PrintJob::pause(Nanos now) {
  if (state_ != State::printing) return;
  state_ = State::paused;
  paused_at_ = now;
}

void PrintJob::resume(Nanos now) {
  if (state_ != State::paused) return;
  state_ = State::printing;
  paused_for_ += now - paused_at_;
}

void PrintJob::end(State state, Nanos now) {
  if (!active()) return;
  resume(now);
  state_ = state;
  ended_ = now;
}

std::optional<std::string> PrintJob::next_line() {
  while (state_ == State::printing && !at_end()) {
    const std::size_t end = std::min(gcode_.find('\n', position_), gcode_.size());
    std::string line = gcode_.substr(position_, end - position_);
    position_ = std::min(end + 1, gcode_.size());
    line.erase(std::min(line.find(';'), line.size()));
    while (!line.empty() && (line.back() == ' ' || line.back() == '\r')) line.pop_back();
    if (!line.empty()) return line;
  }
  return std::nullopt;
}

double PrintJob::total_seconds(Nanos now) const {
  if (state_ == State::standby) return 0;
  return std::chrono::duration<double>((active() ? now : ended_) - started_).count();
}

double PrintJob::print_seconds(Nanos now) const {
  const Nanos pausing = state_ == State::paused ? now - paused_at_ : Nanos{0};
  return total_seconds(now) - std::chrono::duration<double>(paused_for_ + pausing).count();
}

}  // namespace firebreak::sim
