#pragma once

#include <string>
#include <vector>

#include "coordinator/cli/replay/player.h"

namespace firebreak::cli::replay {

/// One point of a chart; what was not known is NaN.
struct ChartPoint {
  double t_s = 0;
  float celsius = guard::unknown;
  float target_celsius = guard::unknown;
  float duty = guard::unknown;
  float unexplained = guard::unknown;
};

/// The curve of one heater, and the engine's verdicts on it.
struct HeaterChart {
  std::string heater;
  std::vector<ChartPoint> points;
};

/// Temperature, target, duty and unexplained power as lines of braille dots, `columns` wide, with
/// the trips marked below. Text of our own alone.
[[nodiscard]] std::string draw_text(const std::vector<HeaterChart>& charts, const Outcome& outcome,
                                    int columns);
/// The same as a picture, complete in itself.
[[nodiscard]] std::string draw_svg(const std::vector<HeaterChart>& charts, const Outcome& outcome);

}  // namespace firebreak::cli::replay
