#pragma once

#include <algorithm>
#include <cmath>
#include <random>

#include "agent/guard/config/guard_config.h"

namespace firebreak::guard::thermal {

/// A heater of the tests' own: element, body and a lagging, noisy, rounding sensor, with a
/// controller. Ranges are those of research/thermal, section 5.
struct PlantShape {
  double kelvin_per_s = 4;   ///< At full power, from cold.
  double loss_tau_s = 120;   ///< Body towards the room.
  double element_tau_s = 1;  ///< Element to body.
  double sensor_lag_s = 1;
  double noise_kelvin = 0.05;
  double quantum = 0.01;
  double fan_loss = 0.4;  ///< More loss at full fan.
  bool bang_bang = false;
};

class Plant {
 public:
  Plant(PlantShape shape, std::uint64_t seed, double room = 24)
      : shape_(shape), random_(seed), room_(room), element_(room), body_(room), bead_(room) {}

  double target = 0;
  double fan = 0;
  bool welded = false;  ///< The switch is on for ever.
  double welded_duty = 1;
  bool open = false;        ///< The heater is off for ever.
  bool sensor_out = false;  ///< The sensor fell out and goes to the room's temperature.
  bool frozen = false;      ///< The reading stays.
  double overheard = 0;     ///< Heat from a neighbour, K/s.

  void step(double dt) {
    control(dt);
    const double power = open ? 0 : (welded ? std::max(welded_duty, duty_) : duty_);
    // The element is a tenth of the whole heat capacity.
    const double flow = (element_ - body_) / shape_.element_tau_s;
    element_ += dt * (power * shape_.kelvin_per_s * 10 - flow * 1.0);
    body_ += dt * (flow * 0.1 / 0.9 + overheard -
                   (body_ - room_) / shape_.loss_tau_s * (1 + shape_.fan_loss * fan));
    const double seen = sensor_out ? room_ : body_;
    const double lag = sensor_out ? 6 : shape_.sensor_lag_s;
    bead_ += (seen - bead_) * std::min(1.0, dt / lag);
  }

  /// What the firmware would print now.
  double read() {
    if (frozen) return last_;
    std::normal_distribution<double> noise(0, shape_.noise_kelvin);
    last_ = std::round((bead_ + noise(random_)) / shape_.quantum) * shape_.quantum;
    return last_;
  }
  [[nodiscard]] double duty() const { return duty_; }
  [[nodiscard]] double truth() const { return body_; }

 private:
  void control(double dt) {
    const double seen = frozen ? last_ : bead_;
    if (target <= 0) {
      duty_ = integral_ = 0;
      return;
    }
    if (shape_.bang_bang) {
      // Marlin looks at a bed every five seconds.
      since_check_ += dt;
      if (since_check_ < 5) return;
      since_check_ = 0;
      if (seen < target - 0.5) duty_ = 1;
      if (seen > target + 0.5) duty_ = 0;
      return;
    }
    const double error = target - seen;
    const double hold =
        (target - room_) / shape_.loss_tau_s * (1 + shape_.fan_loss * fan) / shape_.kelvin_per_s;
    if (error > 10) {
      duty_ = 1;
      integral_ = hold * 0.8;
    } else if (error < -10) {
      duty_ = 0;
    } else {
      integral_ = std::clamp(integral_ + error * dt * 0.004, 0.0, 1.0);
      const double slope = (seen - before_) / dt;
      duty_ = std::clamp(integral_ + 0.08 * error - 0.15 * slope, 0.0, 1.0);
    }
    before_ = seen;
  }

  PlantShape shape_;
  std::mt19937_64 random_;
  double room_;
  double element_, body_, bead_;
  double duty_ = 0;
  double integral_ = 0;
  double before_ = 24;
  double since_check_ = 0;
  double last_ = 24;
};

inline PlantShape random_shape(HeaterKind kind, std::mt19937_64& random) {
  const auto between = [&](double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(random);
  };
  PlantShape shape;
  const double quanta[] = {0.01, 0.01, 0.1, 1};
  shape.quantum = quanta[random() % 4];
  shape.noise_kelvin = between(0.02, 0.15);
  if (kind == HeaterKind::hotend) {
    shape.kelvin_per_s = between(2, 5);
    shape.loss_tau_s = between(110, 260);
    shape.element_tau_s = between(0.3, 1.2);
    shape.sensor_lag_s = between(0.5, 3);
    shape.fan_loss = between(0.1, 0.5);
  } else {
    shape.kelvin_per_s = between(0.35, 1.6);
    shape.loss_tau_s = between(350, 900);
    // A bed that heats fast is thin: no fast bed has a slow sensor.
    const double slow = (1.6 - shape.kelvin_per_s) / 1.25;
    shape.element_tau_s = between(1, 2 + 4 * slow);
    shape.sensor_lag_s = between(1, 2 + 7 * slow);
    shape.fan_loss = 0.05;
    shape.bang_bang = random() % 2 == 0;
  }
  return shape;
}

}  // namespace firebreak::guard::thermal
