#pragma once

#include <iosfwd>
#include <vector>

#include "agent/guard/config/guard_config.h"

namespace firebreak::thermal_bench {

using guard::HeaterKind;

/// What a machine tells of one heater at one moment. NaN is "not said".
struct Report {
  double t_s = 0;
  HeaterKind heater = HeaterKind::hotend;
  float celsius = 0;
  float target_celsius = 0;
  float duty = 0;        ///< 0…1
  float fan = 0;         ///< Part fan as commanded, 0…1.
  float flow_mm3_s = 0;  ///< Extrusion as planned by the G-code.
};

/// What nobody outside the simulator knows, for judging.
struct Truth {
  double t_s = 0;
  HeaterKind heater = HeaterKind::hotend;
  float body_celsius = 0;  ///< Block, plate, or air of the chamber.
  float power = 0;         ///< Share of the nominal power that heats it now.
};

/// One run of one machine.
struct Trace {
  std::vector<Report> reports;
  std::vector<Truth> truth;
  double fault_at_s = -1;  ///< Negative: nothing is wrong.
};

/// "hotend", "bed" or "chamber".
const char* name_of(HeaterKind kind) noexcept;

/// Writes the reports as `firebreak replay` reads them: t,heater,temp,target,duty,fan,flow; what is
/// not said is an empty field.
void write_csv(std::ostream& out, const std::vector<Report>& reports);

}  // namespace firebreak::thermal_bench
