// Positions, feed rates and the planner's block buffer: motion that takes its time.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "tests/simulator/dialect.h"
#include "tests/simulator/gcode.h"

namespace firebreak::sim {

// A planned move. `flow` is the melted volume in mm³/s while it runs.
struct Move {
  Nanos duration{0};
  double flow = 0;
  std::array<double, 4> start{};
  std::array<double, 4> end{};
};

class Motion {
 public:
  Motion(std::size_t block_moves, double slowness)
      : places_(block_moves - 1), slowness_(slowness) {}

  // Plans a G0 or G1; nothing when it does not move. `cold` takes extrusion out of it, the
  // position follows all the same, as in the recorded build.
  std::optional<Move> plan(const Command& command, bool cold, bool* refused_extrusion);
  void push(const Move& move, Nanos now);
  bool full() const { return blocks_.size() >= places_; }
  bool idle() const { return blocks_.empty(); }
  void advance(Nanos now);
  std::optional<Nanos> next_end() const;
  // Drops all moves; the position is where the head is now.
  void quick_stop(Nanos now);
  void set_position(const Command& command);  // G92
  void set_home();                            // after G28
  void set_relative(bool on) { relative_ = relative_extruder_ = on; }
  void set_relative_extruder(bool on) { relative_extruder_ = on; }
  const std::array<double, 4>& position() const { return position_; }
  double flow() const { return blocks_.empty() ? 0 : blocks_.front().flow; }
  double feed_percent = 100;
  double flow_percent = 100;
  // The line that M114 prints.
  std::string report() const;

 private:
  static constexpr std::size_t kAxes = 4;
  Nanos duration(const std::array<double, kAxes>& delta) const;

  std::size_t places_;
  double slowness_;
  std::deque<Move> blocks_;
  Nanos block_end_{0};
  std::array<double, kAxes> position_{};
  std::array<double, kAxes> offset_{};  // native = position + offset
  double feed_mm_per_s_ = 25;
  bool relative_ = false;
  bool relative_extruder_ = false;
};

}  // namespace firebreak::sim
