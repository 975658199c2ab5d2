// The physical side of a heater: where heat goes, and what the thermometer makes of it.
#pragma once

#include <random>
#include <string>

#include "tests/simulator/dialect.h"

namespace firebreak::sim {

// Element and body of one heater. Not thread-safe; time only moves in step().
class HeaterPlant {
 public:
  HeaterPlant(const HeaterBody& body, double ambient_celsius);

  // Moves the plant on by `seconds` (any length; divided into stable parts inside) with the given
  // electrical power. `fan` is 0..1, `flow_watts_per_kelvin` what melting plastic takes away.
  void step(double seconds, double watts, double ambient_celsius, double fan,
            double flow_watts_per_kelvin);
  void set_temperature(double celsius);
  double element_celsius() const { return element_; }
  double body_celsius() const { return body_celsius_; }

 private:
  HeaterBody body_;
  double element_;
  double body_celsius_;
};

enum class SensorFault {
  none,
  out,      // fell out of its hole: drifts to the room within a minute or so
  frozen,   // shows the last reading for ever
  open,     // broken wire: the bottom of a thermistor's table
  shorted,  // the top of its table
  forced    // shows the value that the test gives
};

// The thermometer of one heater, with lag, noise, resolution and faults.
class Sensor {
 public:
  Sensor(const HeaterBody& body, double celsius);

  void step(double seconds, double true_celsius, double ambient_celsius);
  void set_temperature(double celsius);
  void set_fault(SensorFault fault, double forced_celsius);
  SensorFault fault() const { return fault_; }
  // What the firmware's converter gives now.
  double read(std::mt19937_64& random);

 private:
  HeaterBody body_;
  double bead_;
  double last_;
  double forced_ = 0;
  SensorFault fault_ = SensorFault::none;
};

}  // namespace firebreak::sim
