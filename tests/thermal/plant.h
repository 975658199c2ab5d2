#pragma once

#include <algorithm>
#include <cmath>
#include <memory>

namespace firebreak::thermal_bench {

/// What a heater's physics feels from outside during one step.
struct Surroundings {
  double air_celsius = 25;
  double fan = 0;          ///< Air that the part fan really blows on it, 0…1.
  double flow_mm3_s = 0;   ///< Filament that really goes through.
  double loss_factor = 1;  ///< Draft, a fallen sock: times the loss to air.
  double body_watts = 0;   ///< From something stuck to the body (a blob of plastic).
};

/// One heater's physics. Every family has its own; none shares an equation with the guard's model.
/// Temperatures in °C, powers in W, times in s. Used by one thread.
class Plant {
 public:
  virtual ~Plant() = default;
  Plant() = default;
  Plant(const Plant&) = default;
  Plant& operator=(const Plant&) = delete;

  /// `drive`: share of the nominal power at the terminals, supply voltage squared included.
  virtual void step(double dt, double drive, const Surroundings& around) = 0;
  /// Where the sensor's bead is, after its lag.
  [[nodiscard]] virtual double sensor_celsius() const = 0;
  /// Block, plate or air: what melts, burns and hurts.
  [[nodiscard]] virtual double body_celsius() const = 0;
  [[nodiscard]] virtual double nominal_watts() const = 0;
  /// Multiplies the heater's thermal contact to the body: a cartridge that slipped out.
  virtual void set_contact(double share) = 0;
  virtual void set_temperature(double celsius) = 0;
  [[nodiscard]] virtual std::unique_ptr<Plant> clone() const = 0;
};

/// First-order lag: towards `input` with time constant `tau_s`.
inline void follow(double& state, double input, double tau_s, double dt) {
  state += (input - state) * std::min(1.0, dt / tau_s);
}

/// pow(x, n) that is asked for again and again with nearly the same x: computed anew only when x
/// has moved by half a percent.
class SlowPower {
 public:
  explicit SlowPower(double exponent) : exponent_(exponent) {}
  double operator()(double x) {
    if (std::fabs(x - at_) > 0.005 * std::max(1.0, std::fabs(x))) {
      at_ = x;
      value_ = std::pow(std::max(x, 0.1), exponent_);
    }
    return value_;
  }

 private:
  double exponent_;
  double at_ = -1e9;
  double value_ = 0;
};

}  // namespace firebreak::thermal_bench
