#pragma once

#include <span>

#include "tests/thermal/trace.h"

namespace firebreak::thermal_bench {

/// What breaks.
enum class FaultKind {
  none,
  sensor_out,           ///< The bead falls out and hangs in the air near the body.
  heater_open,          ///< No power arrives.
  cartridge_out,        ///< The heater slips out: its contact to the body is nearly gone.
  stuck_on,             ///< The switch is welded: `amount` of the full power, at least.
  frozen,               ///< The firmware goes on with the last number.
  short_circuit,        ///< The reading goes to the table's hot end.
  open_circuit,         ///< The reading goes to the table's cold end.
  open_pinned,          ///< An open sensor reads a flat 20…30 °C (the table's end).
  table_top,            ///< The table ends a little under the target and says so for ever.
  partial_seating,      ///< The bead slips half out: reads a mixture, slowly.
  intermittent_sensor,  ///< A loose wire: bursts of open circuit.
  intermittent_heater,  ///< A loose connector: power comes and goes.
  half_wave,            ///< One half of an SSR is dead: half the power.
  fan_stopped,          ///< The part fan is commanded but stands.
  wrong_table,          ///< Another thermistor's table: readings a sixth too low.
  swapped_sensors,      ///< The hotend's and the bed's sensor are exchanged.
  blob,                 ///< A blob of plastic sits around the block.
};

/// When it breaks. from_start: it was so at power-up, after commissioning; seconds count from the
/// moment in which it first matters (heat is asked for, or the table's end is met).
enum class Moment { steady, heat_up, idle, cooling, from_start };

struct FaultCase {
  const char* name;
  HeaterKind heater;
  FaultKind kind;
  Moment moment;
  double amount = 0;  ///< stuck_on: share of the full power.
  /// Seconds that p95 must keep at 1 s reports (the bars); 0 = reported only.
  double p95_bar_s = 0;
  /// Whether a miss is a failure. What only wears a part down is reported only.
  bool must_trip = true;
};

/// Every case that the bench plays, in the order of the tables.
std::span<const FaultCase> fault_cases();

}  // namespace firebreak::thermal_bench
