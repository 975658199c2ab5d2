#include "tests/thermal/step_test.h"

#include <limits>

namespace firebreak::thermal_bench {

namespace {

constexpr double tick_s = 0.1;

/// Mean fall of the sensor over 20 s, from 15 s after the power went.
double fall_of(const Plant& hot, Surroundings around, double fan) {
  const auto copy = hot.clone();
  around.fan = fan;
  for (int i = 0; i < 150; ++i) copy->step(tick_s, 0, around);
  const double from = copy->sensor_celsius();
  for (int i = 0; i < 200; ++i) copy->step(tick_s, 0, around);
  return (from - copy->sensor_celsius()) / 20;
}

}  // namespace

StepResponse step_response(const Plant& plant, const StepTest& test) {
  const auto copy = plant.clone();
  copy->set_temperature(test.around.air_celsius);
  StepResponse out;
  out.seconds = std::numeric_limits<double>::infinity();
  double mark = copy->sensor_celsius();
  const double start = mark;
  for (int i = 1; i * tick_s <= test.longest_s; ++i) {
    copy->step(tick_s, test.drive, test.around);
    if (i % 10 != 0) continue;
    const double now = copy->sensor_celsius();
    out.end_slope = now - mark;
    mark = now;
    if (out.end_slope > out.slope) {
      out.slope = out.end_slope;
      out.dead_s = std::max(0.3, i * tick_s - 0.5 - (now - start) / out.slope);
    }
    if (now >= test.target_celsius) {
      out.seconds = i * tick_s;
      out.fall = fall_of(*copy, test.around, 0);
      out.fall_fan = fall_of(*copy, test.around, 1);
      break;
    }
  }
  return out;
}

}  // namespace firebreak::thermal_bench
