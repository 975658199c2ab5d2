#pragma once

#include <string>
#include <vector>

#include "tests/thermal/families/family.h"
#include "tests/thermal/print_program.h"
#include "tests/thermal/trace.h"

namespace firebreak::thermal_bench {

/// How a firmware measures one sensor.
struct SensorPath {
  double noise_kelvin = 0.05;
  double step_kelvin = 0.02;  ///< Of the converter, after oversampling.
  double table_top = 350;     ///< The table knows nothing hotter; it says this.
  double table_bottom = -20;
};

/// One heater of a machine as built.
struct HeaterDesign {
  HeaterKind kind = HeaterKind::hotend;
  HeaterDraw draw;
  SensorPath sensor;
  bool mains = false;  ///< Neither sags the printer's supply nor sags with it.
};

/// How a person uses it and where it stands.
struct Habits {
  double room_celsius = 24;
  double print_s = 3600;      ///< Mean length of a print.
  double idle_s = 2400;       ///< Mean pause between prints.
  bool bed_first = false;     ///< Heats the bed before the hotend.
  double speed = 1;           ///< Of the print program.
  double flow_share = 1;      ///< Flow of the program that this nozzle lays.
  double most_flow = 12;      ///< What the hotend can melt, mm³/s.
  bool tool_changer = false;  ///< Parks the hotend at standby now and then.
  double planner_lead_s = 1;  ///< The planner hears of moves this much before they happen.
};

/// One machine, drawn from its group and number. Immutable; many runs of it may be simulated.
struct MachineDesign {
  std::uint64_t seed = 0;
  std::vector<HeaterDesign> heaters;  ///< hotend, bed, perhaps chamber
  Habits habits;
  double supply_offset = 0;      ///< Of the voltage, ±2 %.
  double bed_sag = 0.03;         ///< Of the voltage while the bed draws, up to 7 %.
  double report_quantum = 0.01;  ///< Of its firmware's reports: 0.01 or 0.1 K.
  bool lazy_duty = false;        ///< Tells duty only when it moved by 5 % (Klipper's objects).
};

/// The limit that every engine on the bench gets, °C.
double limit_celsius(HeaterKind kind) noexcept;

MachineDesign draw_machine(const Group& group, std::uint64_t number);

}  // namespace firebreak::thermal_bench
