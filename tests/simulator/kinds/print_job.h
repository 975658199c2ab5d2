// A print: the lines of a file, where it stands, and what it is called.
#pragma once

#include <optional>
#include <string>

#include "tests/simulator/dialect.h"

namespace firebreak::sim {

// Not thread-safe. Who prints takes the lines; the job only knows what comes next.
class PrintJob {
 public:
  enum class State { standby, printing, paused, complete, cancelled, error };

  void start(std::string name, std::string gcode, Nanos now);
  void pause(Nanos now);
  void resume(Nanos now);
  void cancel(Nanos now) { end(State::cancelled, now); }
  void fail(Nanos now) { end(State::error, now); }
  // All lines were taken and carried out.
  void complete(Nanos now) { end(State::complete, now); }
  // The next line that is a command; nothing while it does not print, or at the end.
  std::optional<std::string> next_line();

  State state() const { return state_; }
  bool active() const { return state_ == State::printing || state_ == State::paused; }
  bool at_end() const { return position_ >= gcode_.size(); }
  const std::string& name() const { return name_; }
  std::size_t size() const { return gcode_.size(); }
  std::size_t position() const { return position_; }
  double progress() const {
    return gcode_.empty() ? 0 : static_cast<double>(position_) / static_cast<double>(gcode_.size());
  }
  double total_seconds(Nanos now) const;  // since the start, pauses and all
  double print_seconds(Nanos now) const;  // without pauses

 private:
  void end(State state, Nanos now);

  State state_ = State::standby;
  std::string name_;
  std::string gcode_;
  std::size_t position_ = 0;
  Nanos started_{0};
  Nanos ended_{0};
  Nanos paused_at_{0};
  Nanos paused_for_{0};
};

}  // namespace firebreak::sim
