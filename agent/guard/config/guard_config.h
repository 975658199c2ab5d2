#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "common/base/result.h"

namespace firebreak::guard {

enum class HeaterKind { hotend, bed, chamber };

/// One heater of a printer profile (boards/printers/*.yaml).
struct HeaterProfile {
  std::string name;  ///< hotend, hotend1 …, bed, chamber.
  HeaterKind kind = HeaterKind::hotend;
  double limit_celsius = 0;              ///< Absolute; at or above it is a trip.
  double safe_celsius = 0;               ///< Below it a person may touch it.
  double minimum_celsius = 0;            ///< A lower reading means an open sensor.
  double fastest_rise_kelvin_per_s = 0;  ///< For the blindness table.
  // The firmwares' own kind of rule, run on the host (research: Marlin WATCH and TR periods).
  std::chrono::seconds watch_period{};  ///< Heating must gain `watch_kelvin` in this time.
  double watch_kelvin = 0;
  std::chrono::seconds hysteresis_period{};
  double hysteresis_kelvin = 0;  ///< Further below the target for a whole period trips.
  double overshoot_kelvin = 0;   ///< Further above a steady target for 5 s trips.
  // The physical envelope of what may be learned; 0 = not known.
  double heater_watts = 0;
  double heated_mass_grams = 0;  ///< Block and nozzle, or plate and glass.
  double usual_celsius = 0;      ///< What a supervised heat-up heats it to.
};

/// How a printer is stopped and what it is like.
struct PrinterProfile {
  std::string name;
  std::string firmware;  ///< "marlin".
  std::vector<HeaterProfile> heaters;
  std::chrono::seconds boot_time{};
  int tools = 1;
  bool fan_is_not_heatbreak = false;  ///< M107 may be part of the stop.
  bool dtr_resets_board = false;      ///< A DTR pulse reboots it (AVR boards).
  bool auto_starts = true;            ///< It may start a job by itself after a reset: no DTR rung.
  std::vector<std::string> keep_running;
};

/// How the guard reaches a printer.
enum class LinkKind {
  serial,   ///< A serial port of this host, which the guard owns.
  klipper,  ///< The API socket of klippy on this host.
  network,  ///< The uplink talks to it; the guard keeps latch, detection and relay.
};

struct PrinterConfig {
  std::string name;
  PrinterProfile profile;
  LinkKind link = LinkKind::serial;
  std::filesystem::path port;  ///< Serial: the device. Klipper: its socket. Network: empty.
  std::string network;  ///< Network: the interface that the uplink speaks to, "moonraker" …
  int baud = 115200;
  std::string expected_uuid;     ///< Empty: not checked.
  std::string expected_machine;  ///< Empty: not checked.
  std::string relay;             ///< Empty: no independent stop.
  std::filesystem::path pty;     ///< The symlink that a host opens, in run_dir.
};

struct InputConfig {
  std::string name;
  std::string line;
  bool smoke = false;
  bool whole_host = true;
  std::vector<std::string> zone;  ///< Printer names when not the whole host.
};

struct RelayConfig {
  std::string name;
  bool heartbeat = false;
  std::string line;       ///< Plain level, or the pulse line of a heartbeat relay.
  std::string drop_line;  ///< In series; empty where there is none.
  std::chrono::milliseconds hold{};
  std::string feedback_line;        ///< Empty where there is none.
  std::vector<std::string> covers;  ///< "printer/heater".
  std::string rating;
};

struct SensorConfig {
  std::string name;
  std::string line;
  std::string printer;
  std::string heater;
};

struct BoardConfig {
  std::string name;
  std::string kind;  ///< "sim".
  std::filesystem::path socket;
  std::vector<InputConfig> inputs;
  std::vector<RelayConfig> relays;
  std::string alarm_line;
  std::vector<SensorConfig> sensors;   ///< Temperature.
  std::vector<SensorConfig> currents;  ///< Amps through a heater's wire.
};

struct GuardConfig {
  std::string agent;
  std::filesystem::path run_dir;
  std::filesystem::path state_dir;
  BoardConfig board;
  std::string operator_group;
  std::string reset_group;
  std::string uplink_user;
  std::string grant_key_hex;  ///< Ed25519 public key; empty: no grants.
  std::vector<PrinterConfig> printers;
  /// What is allowed and yet should be known: no independent stop, a plain relay, no button.
  std::vector<std::string> warnings;
};

/// Reads guard.yaml, its board and its profiles, each against its schema, then what no schema can
/// say (names that refer to nothing, two printers on one port, a relay that covers an unknown
/// heater). The message has a line per problem, each with file and line. Blocks on files; only at
/// start or for --check-config.
Result<GuardConfig> load_guard_config(const std::filesystem::path& file);

}  // namespace firebreak::guard
