// What distinguishes one simulated printer from another: its firmware build and its machine.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace firebreak::sim {

using Nanos = std::chrono::nanoseconds;

// What happens to bytes for which the receive ring has no room: a board on native USB makes the
// host wait, a UART without flow control loses them.
enum class FullInput { wait, drop };

// A thermistor is range checked by the firmware; an AD595 amplifier on a hotend is not (seen in
// the recordings *_maxtemp and *_mintemp).
enum class SensorKind { thermistor, ad595 };

enum class BedControl { bang_bang, pid };

// One Marlin build. Defaults are those of the recorded build (corpus README) where it has one.
struct Dialect {
  std::string firmware_name = "Marlin 2.1.2.4 (Mar  1 2025 12:00:00)";
  std::string version_line = "Marlin 2.1.2.4";
  std::string machine_type = "FB-Sim 200";
  std::string uuid = "cede2a2f-41a2-4748-9b12-c55c62f367ff";
  std::vector<std::string> lines_before_start;
  bool emergency_parser = true;
  // RepRapFirmware on a serial line: the bytes F0 0F halt it as they arrive, M112 waits its turn
  // like any line. Goes without the emergency parser.
  bool emergency_bytes = false;
  bool thermal_protection = true;
  bool sdcard = false;
  bool homing_fails = false;
  std::size_t ring_bytes = 128;
  FullInput full_input = FullInput::wait;
  std::size_t queue_lines = 4;   // BUFSIZE; the line being executed keeps its place
  std::size_t line_bytes = 96;   // MAX_CMD_SIZE
  std::size_t block_moves = 16;  // BLOCK_BUFFER_SIZE; one place always stays free
  std::uint32_t baud = 115200;   // 10 bits a byte; 0: bytes arrive at once
  double motion_slowness = 1;    // moves take this much longer than planned
  Nanos boot_time = std::chrono::milliseconds(1500);
  Nanos homing_time = std::chrono::seconds(8);
  Nanos leveling_time = std::chrono::seconds(30);
  SensorKind hotend_sensor = SensorKind::thermistor;
  double hotend_min_celsius = 5;
  double hotend_max_celsius = 275;
  double bed_min_celsius = 5;
  double bed_max_celsius = 150;
  BedControl bed_control = BedControl::bang_bang;
};

// One heated body: an element that gets the power, a mass that loses it, and a sensor behind both.
struct HeaterBody {
  double full_watts;
  double element_joules_per_kelvin;
  double body_joules_per_kelvin;
  double coupling_watts_per_kelvin;  // element to body
  double loss_watts_per_kelvin;      // body to the room, at 100 K above it
  double loss_exponent;              // 1 is linear; convection is a little more
  double fan_loss_fraction;          // additional loss at full part fan
  double sensor_lag_seconds;
  double noise_celsius;    // standard deviation of one reading
  double quantum_celsius;  // step of the converter; 0: none
};

// A 40 W hotend and a 220 W bed of common size (ranges: shared thermal notes, section 5).
inline constexpr HeaterBody kHotendBody{40, 1.5, 9.5, 3.0, 0.075, 1.15, 0.35, 0.8, 0.04, 0.03};
inline constexpr HeaterBody kBedBody{220, 90, 260, 30, 0.95, 1.2, 0.05, 2.0, 0.04, 0.03};

struct PrinterConfig {
  std::string name = "p1";
  Dialect dialect;
  HeaterBody hotend = kHotendBody;
  HeaterBody bed = kBedBody;
  double ambient_celsius = 25;
  std::uint64_t seed = 1;
};

}  // namespace firebreak::sim
