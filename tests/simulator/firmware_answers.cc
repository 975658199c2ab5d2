// Commands that only answer, and the table of all commands.
#include <cmath>
#include <string>

#include "tests/simulator/firmware.h"

namespace firebreak::sim {
namespace {

using std::chrono::seconds;

struct SettingLine {
  int number;  // 0: not a command of its own
  const char* heading;
  const char* text;
};

// M503 of the recorded build.
constexpr SettingLine kSettings[] = {
    {0, "Linear Units:", "G21 ; (mm)"},
    {0, "Temperature Units:", "M149 C ; Units in Celsius"},
    {0, "Filament settings (Disabled):", "M200 S0 D1.75"},
    {92, "Steps per unit:", "M92 X80.00 Y80.00 Z400.00 E500.00"},
    {203, "Max feedrates (units/s):", "M203 X300.00 Y300.00 Z5.00 E25.00"},
    {201, "Max Acceleration (units/s2):", "M201 X3000.00 Y3000.00 Z100.00 E10000.00"},
    {204, "Acceleration (units/s2) (P<print-accel> R<retract-accel> T<travel-accel>):",
     "M204 P3000.00 R3000.00 T3000.00"},
    {205, "Advanced (B<min_segment_time_us> S<min_feedrate> T<min_travel_feedrate> J<junc_dev>):",
     "M205 B20000.00 S0.00 T0.00 J0.01"},
    {206, "Home offset:", "M206 X0.00 Y0.00 Z0.00"},
    {301, "Hotend PID:", "M301 P22.20 I1.08 D114.00"},
};

struct Capability {
  const char* name;
  int value;
};

// M115 of the recorded build, in its order; -1 marks what the dialect decides.
constexpr Capability kCapabilities[] = {
    {"SERIAL_XON_XOFF", 0},
    {"BINARY_FILE_TRANSFER", 0},
    {"EEPROM", 0},
    {"VOLUMETRIC", 1},
    {"AUTOREPORT_POS", 0},
    {"AUTOREPORT_TEMP", 1},
    {"PROGRESS", 0},
    {"PRINT_JOB", 1},
    {"AUTOLEVEL", 0},
    {"RUNOUT", 0},
    {"Z_PROBE", 0},
    {"LEVELING_DATA", 0},
    {"BUILD_PERCENT", 0},
    {"SOFTWARE_POWER", 0},
    {"TOGGLE_LIGHTS", 0},
    {"CASE_LIGHT_BRIGHTNESS", 0},
    {"EMERGENCY_PARSER", -1},
    {"HOST_ACTION_COMMANDS", 1},
    {"PROMPT_SUPPORT", 0},
    {"SDCARD", -1},
    {"REPEAT", 0},
    {"SD_WRITE", 0},
    {"AUTOREPORT_SD_STATUS", 0},
    {"LONG_FILENAME", 0},
    {"LFN_WRITE", 0},
    {"CUSTOM_FIRMWARE_UPLOAD", 0},
    {"EXTENDED_M20", 0},
    {"THERMAL_PROTECTION", -1},
    {"MOTION_MODES", 0},
    {"ARCS", 1},
    {"BABYSTEPPING", 0},
    {"CHAMBER_TEMPERATURE", 0},
    {"COOLER_TEMPERATURE", 0},
    {"MEATPACK", 0},
    {"CONFIG_EXPORT", 0},
};

std::string duration_text(Nanos time) {
  const long all = std::chrono::duration_cast<seconds>(time).count();
  std::string text;
  if (all >= 86400) text += std::to_string(all / 86400) + "d ";
  if (all >= 3600) text += std::to_string(all / 3600 % 24) + "h ";
  if (all >= 60) text += std::to_string(all / 60 % 60) + "m ";
  return text + std::to_string(all % 60) + "s";
}

bool takes_digit(const std::string& text, std::size_t at, char letter) {
  return at + 1 < text.size() && text[at] == letter && text[at + 1] >= '0' && text[at + 1] <= '9';
}

}  // namespace

const Firmware::Entry Firmware::kCommands[] = {
    {'G', 0, &Firmware::do_move},
    {'G', 1, &Firmware::do_move},
    {'G', 4, &Firmware::do_dwell},
    {'G', 21, &Firmware::do_accept},
    {'G', 28, &Firmware::do_home},
    {'G', 29, &Firmware::do_level},
    {'G', 90, &Firmware::do_relative},
    {'G', 91, &Firmware::do_relative},
    {'G', 92, &Firmware::do_set_position},
    {'M', 0, &Firmware::do_pause},
    {'M', 1, &Firmware::do_pause},
    {'M', 17, &Firmware::do_accept},
    {'M', 18, &Firmware::do_steppers_off},
    {'M', 20, &Firmware::do_list_files},
    {'M', 27, &Firmware::do_print_status},
    {'M', 31, &Firmware::do_print_time},
    {'M', 73, &Firmware::do_accept},
    {'M', 75, &Firmware::do_accept},
    {'M', 76, &Firmware::do_accept},
    {'M', 77, &Firmware::do_accept},
    {'M', 81, &Firmware::do_power_off},
    {'M', 82, &Firmware::do_extruder_mode},
    {'M', 83, &Firmware::do_extruder_mode},
    {'M', 84, &Firmware::do_steppers_off},
    {'M', 85, &Firmware::do_accept},
    {'M', 92, &Firmware::do_setting_line},
    {'M', 104, &Firmware::do_hotend_target},
    {'M', 105, &Firmware::do_temperatures},
    {'M', 106, &Firmware::do_fan},
    {'M', 107, &Firmware::do_fan_off},
    {'M', 108, &Firmware::do_accept},
    {'M', 109, &Firmware::do_hotend_wait},
    {'M', 110, &Firmware::do_line_number},
    {'M', 111, &Firmware::do_debug},
    {'M', 112, &Firmware::do_halt},
    {'M', 113, &Firmware::do_keepalive},
    {'M', 114, &Firmware::do_position},
    {'M', 115, &Firmware::do_identity},
    {'M', 117, &Firmware::do_accept},
    {'M', 118, &Firmware::do_echo},
    {'M', 119, &Firmware::do_endstops},
    {'M', 140, &Firmware::do_bed_target},
    {'M', 155, &Firmware::do_auto_report},
    {'M', 190, &Firmware::do_bed_wait},
    {'M', 200, &Firmware::do_accept},
    {'M', 201, &Firmware::do_setting_line},
    {'M', 203, &Firmware::do_setting_line},
    {'M', 204, &Firmware::do_setting_line},
    {'M', 205, &Firmware::do_setting_line},
    {'M', 206, &Firmware::do_setting_line},
    {'M', 211, &Firmware::do_limits},
    {'M', 220, &Firmware::do_percentages},
    {'M', 221, &Firmware::do_percentages},
    {'M', 301, &Firmware::do_setting_line},
    {'M', 302, &Firmware::do_accept},
    {'M', 400, &Firmware::do_finish_moves},
    {'M', 410, &Firmware::do_quick_stop},
    {'M', 500, &Firmware::do_store},
    {'M', 501, &Firmware::do_settings},
    {'M', 502, &Firmware::do_defaults},
    {'M', 503, &Firmware::do_settings},
    {'M', 999, &Firmware::do_accept},
};

const Firmware::Entry* Firmware::find(const Command& command) {
  static constexpr Entry kTool{'T', 0, &Firmware::do_tool};
  if (command.letter == 'T') return &kTool;
  for (const Entry& entry : kCommands) {
    if (command.is(entry.letter, entry.number)) return &entry;
  }
  return nullptr;
}

void Firmware::unknown(const Command& command) {
  say("echo:Unknown command: \"" + command.text + "\"");
}

void Firmware::say_settings(std::string_view prefix) {
  for (const SettingLine& line : kSettings) {
    say(std::string(prefix) + "; " + line.heading);
    say(std::string(prefix) + "  " + line.text);
  }
}

void Firmware::do_setting_line(const Command& command) {
  if (!command.arguments.empty()) return;
  for (const SettingLine& line : kSettings) {
    if (line.number == command.number) say(std::string("  ") + line.text);
  }
}

void Firmware::do_temperatures(const Command&) {
  // The answer is the acknowledgement: one line, and no other "ok" after it.
  execution_ = Execution();
  queue_.pop_front();
  say("ok" + temperatures());
}

void Firmware::do_line_number(const Command& command) {
  if (const auto value = command.value('N')) reader_.set_last_line(std::lround(*value));
}

void Firmware::do_position(const Command&) { say(motion_.report()); }

void Firmware::do_identity(const Command&) {
  say("FIRMWARE_NAME:" + dialect_.firmware_name +
      " SOURCE_CODE_URL:github.com/MarlinFirmware/Marlin PROTOCOL_VERSION:1.0 MACHINE_TYPE:" +
      dialect_.machine_type + " EXTRUDER_COUNT:1 UUID:" + dialect_.uuid);
  for (const Capability& capability : kCapabilities) {
    const std::string name = capability.name;
    int value = capability.value;
    if (name == "EMERGENCY_PARSER") value = dialect_.emergency_parser;
    if (name == "THERMAL_PROTECTION") value = dialect_.thermal_protection;
    if (name == "SDCARD") value = dialect_.sdcard;
    say("Cap:" + name + ":" + std::to_string(value));
  }
}

// M118 prints any text. E1 and A1 put "echo:" and "//" in front, P names a port; lines end in CR
// LF.
void Firmware::do_echo(const Command& command) {
  const std::string& text = command.arguments;
  std::string prefix;
  std::size_t at = 0;
  while (takes_digit(text, at, 'E') || takes_digit(text, at, 'A') || takes_digit(text, at, 'P')) {
    const bool set = text[at + 1] == '1';
    if (set && text[at] == 'E') prefix = "echo:" + prefix;
    if (set && text[at] == 'A') prefix = "//" + prefix;
    at += 2;
    while (at < text.size() && text[at] == ' ') ++at;
  }
  say(prefix + text.substr(at) + "\r");
}

void Firmware::do_endstops(const Command&) {
  say("Reporting endstop status");
  for (const char* axis : {"x", "y", "z"}) say(std::string(axis) + "_min: open");
}

void Firmware::do_list_files(const Command& command) {
  if (!dialect_.sdcard) {
    unknown(command);
    return;
  }
  say("Begin file list");
  say("End file list");
}

void Firmware::do_print_status(const Command& command) {
  if (dialect_.sdcard) {
    say("Not SD printing");
  } else {
    unknown(command);
  }
}

void Firmware::do_print_time(const Command&) {
  say("echo:Print time: " + duration_text(job_start_ ? now_ - *job_start_ : job_time_));
}

void Firmware::do_settings(const Command& command) {
  if (command.number == 501) say("echo:Hardcoded Default Settings Loaded");
  say_settings("echo:");
}

void Firmware::do_defaults(const Command&) { say("echo:Hardcoded Default Settings Loaded"); }

void Firmware::do_store(const Command&) { say("Error:EEPROM disabled"); }

void Firmware::do_limits(const Command&) {
  say("  M211 S1 ; ON");
  say("  Min:  X0.00 Y0.00 Z0.00   Max:  X200.00 Y200.00 Z200.00");
}

void Firmware::do_debug(const Command&) { say("echo:DEBUG:off"); }

}  // namespace firebreak::sim
