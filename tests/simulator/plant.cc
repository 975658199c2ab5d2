#include "tests/simulator/plant.h"

#include <algorithm>
#include <cmath>

namespace firebreak::sim {
namespace {

// The stiffest pair (element to body) has a time constant of about 0.4 s: 20 ms is far below it.
constexpr double kLargestStepSeconds = 0.02;
// A bead in free air follows the room slowly; its table's ends are those of a common 100k part.
constexpr double kFreeAirSeconds = 20;
constexpr double kTableBottomCelsius = -15;
constexpr double kTableTopCelsius = 300;

}  // namespace

HeaterPlant::HeaterPlant(const HeaterBody& body, double ambient_celsius)
    : body_(body), element_(ambient_celsius), body_celsius_(ambient_celsius) {}

void HeaterPlant::step(double seconds, double watts, double ambient_celsius, double fan,
                       double flow_watts_per_kelvin) {
  while (seconds > 0) {
    const double dt = std::min(seconds, kLargestStepSeconds);
    seconds -= dt;
    const double above = body_celsius_ - ambient_celsius;
    const double shape = std::pow(std::abs(above) / 100, body_.loss_exponent - 1);
    const double loss_per_kelvin =
        body_.loss_watts_per_kelvin * shape * (1 + body_.fan_loss_fraction * fan) +
        flow_watts_per_kelvin;
    const double inward = (element_ - body_celsius_) * body_.coupling_watts_per_kelvin;
    element_ += (watts - inward) * dt / body_.element_joules_per_kelvin;
    body_celsius_ += (inward - loss_per_kelvin * above) * dt / body_.body_joules_per_kelvin;
  }
}

void HeaterPlant::set_temperature(double celsius) { element_ = body_celsius_ = celsius; }

Sensor::Sensor(const HeaterBody& body, double celsius)
    : body_(body), bead_(celsius), last_(celsius) {}

void Sensor::step(double seconds, double true_celsius, double ambient_celsius) {
  const bool out = fault_ == SensorFault::out;
  const double goal = out ? ambient_celsius : true_celsius;
  const double lag = out ? kFreeAirSeconds : body_.sensor_lag_seconds;
  bead_ = lag <= 0 ? goal : goal + (bead_ - goal) * std::exp(-seconds / lag);
}

void Sensor::set_temperature(double celsius) { bead_ = last_ = celsius; }

void Sensor::set_fault(SensorFault fault, double forced_celsius) {
  fault_ = fault;
  forced_ = forced_celsius;
}

double Sensor::read(std::mt19937_64& random) {
  switch (fault_) {
    case SensorFault::frozen: return last_;
    case SensorFault::open: return last_ = kTableBottomCelsius;
    case SensorFault::shorted: return last_ = kTableTopCelsius;
    case SensorFault::forced: return last_ = forced_;
    case SensorFault::none:
    case SensorFault::out: break;
  }
  // Sum of uniforms: the same bytes on every machine, which std::normal_distribution is not.
  double noise = 0;
  for (int i = 0; i < 4; ++i) noise += static_cast<double>(random() >> 11) * 0x1p-53 - 0.5;
  last_ = bead_ + noise * 1.732 * body_.noise_celsius;
  if (body_.quantum_celsius > 0) {
    last_ = std::round(last_ / body_.quantum_celsius) * body_.quantum_celsius;
  }
  return last_;
}

}  // namespace firebreak::sim
