// The firmware's side of one heater: target, controller, and its own protections.
#pragma once

#include <optional>
#include <string>

#include "tests/simulator/dialect.h"

namespace firebreak::sim {

// A reason for which the firmware stops itself; the texts are those of the recordings.
struct ThermalFault {
  std::string serial_text;  // "Thermal Runaway", "MAXTEMP triggered" …
  std::string halt_text;    // "THERMAL RUNAWAY", "Err: MAXTEMP" …
};

struct ControlRules {
  bool pid;                // else on and off every 5 s
  bool runaway_and_watch;  // the build has thermal protection
  bool range_checked;      // MINTEMP and MAXTEMP act
  double min_celsius;
  double max_celsius;
  double runaway_hysteresis;  // hotend 4, bed 2
  Nanos runaway_period;       // hotend 40 s, bed 20 s
  Nanos watch_period;         // hotend 40 s, bed 60 s
};

// One heater as the firmware sees it. sample() is to be called at every new reading.
class HeaterControl {
 public:
  explicit HeaterControl(const ControlRules& rules) : rules_(rules) {}

  void set_rules(const ControlRules& rules) { rules_ = rules; }
  // A new target starts the heating watch, as M104 and M140 do; values above what the build allows
  // are taken down to it without a word.
  void set_target(double celsius, Nanos now);
  double target() const { return target_; }
  double reading() const { return reading_; }
  // A reading alone, for a firmware that has stopped but still looks.
  void observe(double celsius) { reading_ = celsius; }
  // 0..127, the unit of `@:`.
  int duty() const { return duty_; }
  void switch_off();
  // Takes a reading, sets the duty, and tells when the firmware would stop itself.
  std::optional<ThermalFault> sample(double celsius, Nanos now);

 private:
  int pid_duty();
  int bang_bang_duty(Nanos now);
  void start_watch(Nanos now);
  std::optional<ThermalFault> check(Nanos now);
  std::optional<ThermalFault> check_runaway(Nanos now);

  enum class Runaway { inactive, first_heating, stable };

  ControlRules rules_;
  double target_ = 0;
  double reading_ = 25;
  int duty_ = 0;
  bool pid_reset_ = true;
  double integral_ = 0;
  double derivative_ = 0;
  double last_reading_ = 25;
  Nanos next_switch_{0};
  Runaway runaway_ = Runaway::inactive;
  double runaway_target_ = 0;
  Nanos runaway_deadline_{0};
  Nanos watch_deadline_{0};  // 0: not watching
  double watch_goal_ = 0;
  int low_readings_ = 0;
};

// Time between two readings of the firmware's converter (16-fold oversampling of 12 sensors).
inline constexpr Nanos kSamplePeriod = std::chrono::milliseconds(164);

}  // namespace firebreak::sim
