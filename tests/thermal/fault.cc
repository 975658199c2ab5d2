#include "tests/thermal/fault.h"

namespace firebreak::thermal_bench {

namespace {

using enum FaultKind;
using enum Moment;
constexpr auto hotend = HeaterKind::hotend;
constexpr auto bed = HeaterKind::bed;
constexpr auto chamber = HeaterKind::chamber;

constexpr FaultCase cases[] = {
    {"hotend sensor out, steady", hotend, sensor_out, steady, 0, 5},
    {"hotend sensor out, heat-up", hotend, sensor_out, heat_up, 0, 5},
    {"hotend heater open, steady", hotend, heater_open, steady, 0, 25},
    {"hotend heater open, heat-up", hotend, heater_open, heat_up, 0, 10},
    {"hotend cartridge out, steady", hotend, cartridge_out, steady},
    {"hotend stuck on, steady", hotend, stuck_on, steady, 1, 18},
    {"hotend stuck on, idle", hotend, stuck_on, idle, 1, 12},
    {"hotend stuck on, cooling", hotend, stuck_on, cooling, 1},
    {"hotend stuck on, heat-up", hotend, stuck_on, heat_up, 1},
    {"hotend stuck half, idle", hotend, stuck_on, idle, 0.5, 40},
    {"hotend stuck half, steady", hotend, stuck_on, steady, 0.5, 0, false},
    {"hotend frozen, steady", hotend, frozen, steady, 0, 18},
    {"hotend frozen, heat-up", hotend, frozen, heat_up, 0, 18},
    {"hotend sensor short, steady", hotend, short_circuit, steady},
    {"hotend sensor open, steady", hotend, open_circuit, steady},
    {"hotend sensor open, heat-up", hotend, open_circuit, heat_up},
    {"hotend sensor open, pinned", hotend, open_pinned, steady},
    {"hotend pinned under target", hotend, table_top, from_start},
    {"bed sensor out, steady", bed, sensor_out, steady, 0, 30},
    {"bed sensor out, heat-up", bed, sensor_out, heat_up, 0, 30},
    {"bed heater open, steady", bed, heater_open, steady, 0, 60},
    {"bed heater open, heat-up", bed, heater_open, heat_up},
    {"bed stuck on, steady", bed, stuck_on, steady, 1, 35},
    {"bed stuck on, idle", bed, stuck_on, idle, 1, 35},
    {"bed stuck on, cooling", bed, stuck_on, cooling, 1},
    {"bed stuck half, idle", bed, stuck_on, idle, 0.5},
    {"bed stuck half, steady", bed, stuck_on, steady, 0.5, 0, false},
    {"bed frozen, steady", bed, frozen, steady, 0, 35},
    {"bed frozen, heat-up", bed, frozen, heat_up, 0, 35},
    {"bed sensor short, steady", bed, short_circuit, steady},
    {"bed sensor open, steady", bed, open_circuit, steady},
    {"bed sensor open, pinned", bed, open_pinned, steady},
    {"bed pinned under target", bed, table_top, from_start},
    {"swapped sensors, heat-up", hotend, swapped_sensors, from_start},
    {"hotend intermittent sensor", hotend, intermittent_sensor, steady, 0, 0, false},
    {"hotend intermittent heater", hotend, intermittent_heater, steady, 0, 0, false},
    {"hotend partial seating", hotend, partial_seating, steady, 0, 0, false},
    {"hotend part fan stopped", hotend, fan_stopped, steady, 0, 0, false},
    {"hotend wrong table, heat-up", hotend, wrong_table, from_start, 0, 0, false},
    {"hotend blob of plastic", hotend, blob, steady, 0, 0, false},
    {"bed half-wave SSR, steady", bed, half_wave, steady, 0, 0, false},
    {"bed half-wave SSR, heat-up", bed, half_wave, heat_up, 0, 0, false},
    {"bed partial seating", bed, partial_seating, steady, 0, 0, false},
    {"chamber stuck on, idle", chamber, stuck_on, idle, 1, 0, false},
    {"chamber stuck on, steady", chamber, stuck_on, steady, 1, 0, false},
    {"chamber sensor open, steady", chamber, open_circuit, steady, 0, 0, false},
    {"chamber heater open, steady", chamber, heater_open, steady, 0, 0, false},
};

}  // namespace

std::span<const FaultCase> fault_cases() { return cases; }

}  // namespace firebreak::thermal_bench
