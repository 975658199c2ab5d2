#include "agent/guard/links/report_parser.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "agent/guard/links/line_splitter.h"
#include "tests/unit/links/report_lines.h"
#include "tests/unit/links/report_text.h"

namespace firebreak::guard {
namespace {

TEST(ReportParser, understands_every_known_form_of_a_temperature_line) {
  for (const auto& known : report_cases) {
    const auto parsed = parse_line(known.line);
    EXPECT_EQ(parsed.kind, LineKind::temperature) << known.line;
    EXPECT_EQ(meaning_of(parsed), known.meaning) << known.line;
  }
}

TEST(ReportParser, takes_no_temperature_from_anything_else) {
  for (const auto line : no_report_cases) {
    const auto parsed = parse_line(line);
    EXPECT_NE(parsed.kind, LineKind::temperature) << line;
    EXPECT_EQ(parsed.value_count, 0) << line;
  }
}

TEST(ReportParser, takes_the_first_values_right_or_nothing_when_a_line_is_cut_between_words) {
  for (const auto& known : report_cases) {
    const auto whole = parse_line(known.line);
    for (std::size_t size = 0; size < known.line.size(); ++size) {
      if (known.line[size] != ' ') continue;
      const auto part = parse_line(known.line.substr(0, size));
      for (std::size_t i = 0; i < part.value_count; ++i) {
        // Cut before the tools are told apart, `T0` may still be the active one.
        if (part.storage[i].heater == ReportedHeater::hotend) continue;
        EXPECT_EQ(part.storage[i].celsius, whole.storage[i].celsius) << known.line.substr(0, size);
      }
    }
  }
}

TEST(ReportParser, knows_the_sort_of_every_other_line) {
  const std::pair<const char*, LineKind> cases[] = {
      {"", LineKind::empty},
      {"  ", LineKind::empty},
      {"ok", LineKind::ok},
      {"ok N41 P15 B3", LineKind::ok},
      {"echo:busy: processing", LineKind::busy},
      {"echo:busy: paused for user", LineKind::busy},
      {"busy: paused for input", LineKind::busy},
      {"wait", LineKind::wait},
      {"start", LineKind::banner},
      {"PowerUp", LineKind::banner},
      {"x86_64 Initialized", LineKind::banner},
      {"Marlin bugfix-2.1.x", LineKind::banner},
      {"Resend: 3", LineKind::resend},
      {"Resend:3", LineKind::resend},
      {"rs N3", LineKind::resend},
      {"Cap:AUTOREPORT_TEMP:1", LineKind::capability},
      {"Error:EEPROM disabled", LineKind::error},
      {"Error:checksum mismatch, Last Line: 2", LineKind::error},
      {"echo:Unknown command: \"M9999\"", LineKind::echo},
      {"//action:poweroff", LineKind::action},
      {"X:0.00 Y:0.00 Z:0.00 E:0.00 Count X:0 Y:0 Z:0", LineKind::other},
      {"TT::2277..9933", LineKind::malformed},
  };
  for (const auto& [line, kind] : cases) {
    EXPECT_STREQ(kind_text(parse_line(line).kind), kind_text(kind)) << line;
  }
  EXPECT_EQ(parse_line("Resend: 37").resend_line, 37U);
}

struct FaultCase {
  const char* line;
  LineKind kind;
  char heater;  ///< As in report_lines.h; '-' when the line does not name one.
  int index;
};

TEST(ReportParser, knows_every_fault_and_halt_of_the_firmwares) {
  const FaultCase cases[] = {
      {"Error:Thermal Runaway, system stopped! Heater_ID: 0", LineKind::thermal_fault, 'h', 0},
      {"Error:Thermal Runaway, system stopped! Heater_ID: E1", LineKind::thermal_fault, 'h', 1},
      {"Error:Heating failed, system stopped! Heater_ID: bed", LineKind::thermal_fault, 'b', 0},
      {"Error:MAXTEMP triggered, system stopped! Heater_ID: chamber", LineKind::thermal_fault, 'c',
       0},
      {"Error:MINTEMP triggered, system stopped! Heater_ID: redundant E0", LineKind::thermal_fault,
       'h', 0},
      {"Error:Thermal Malfunction, system stopped! Heater_ID: 0", LineKind::thermal_fault, 'h', 0},
      {"echo:Heating Failed", LineKind::thermal_fault, '-', 0},
      {"echo:THERMAL RUNAWAY", LineKind::thermal_fault, '-', 0},
      {"Error: HOTEND THERMAL RUNAWAY", LineKind::thermal_fault, 'h', 0},
      {" HEATBED THERMAL RUNAWAY", LineKind::thermal_fault, 'b', 0},
      {" THERMAL RUNAWAY (PREHEAT HOTEND)", LineKind::thermal_fault, 'h', 0},
      {"0: Heaters switched off. MAXTEMP triggered!", LineKind::thermal_fault, 'h', 0},
      {"TM: error triggered!", LineKind::thermal_fault, 'h', 0},
      {"TM: error |-1.31|>1.20", LineKind::thermal_warning, '-', 0},
      {"Error: Heater 1 fault: temperature rising too slowly: expected 1.2 measured 0.3",
       LineKind::thermal_fault, '-', 0},
      {"Error: Heater 1 fault: exceeded allowed temperature excursion: target 200 actual 220",
       LineKind::thermal_fault, '-', 0},
      {"Error: Heater 1 fault: failed to read sensor: short", LineKind::thermal_fault, '-', 0},
      {"Error: Heater 1 fault: monitor 0 was triggered", LineKind::thermal_fault, '-', 0},
      {"!! Heater extruder not heating at expected rate", LineKind::thermal_fault, 'h', 0},
      {"!! Heater heater_bed not heating at expected rate", LineKind::thermal_fault, 'b', 0},
      {"!! MCU 'mcu' shutdown: ADC out of range", LineKind::thermal_fault, '-', 0},
      {"Sensor 'extruder' temperature 412.100 not in range 0.000:300.000", LineKind::thermal_fault,
       'h', 0},
      {"Error: 13201 HOTEND PREHEAT ERROR", LineKind::thermal_fault, 'h', 0},
      {"Error:Printer halted. kill() called!", LineKind::halt, '-', 0},
      {"echo:M112 Shutdown", LineKind::halt, '-', 0},
      {"// Klipper state: Shutdown", LineKind::halt, '-', 0},
      {"echo:Unknown command: \"Thermal Runaway\"", LineKind::echo, '-', 0},
      {"echo:Unknown command: \"Error:Printer halted. kill() called!\"", LineKind::echo, '-', 0},
  };
  for (const auto& known : cases) {
    const auto parsed = parse_line(known.line);
    EXPECT_STREQ(kind_text(parsed.kind), kind_text(known.kind)) << known.line;
    const char heater = parsed.fault_heater_known
                            ? std::string("ht+bc")[static_cast<std::size_t>(parsed.fault_heater)]
                            : '-';
    EXPECT_EQ(heater, known.heater) << known.line;
    EXPECT_EQ(parsed.fault_index, known.index) << known.line;
  }
}

TEST(ReportParser, reads_who_the_printer_is) {
  const auto parsed = parse_line(
      "FIRMWARE_NAME:Prusa-Firmware 3.14.1 based on Marlin FIRMWARE_URL:https://example.org/x "
      "PROTOCOL_VERSION:1.0 MACHINE_TYPE:Prusa i3 MK3S EXTRUDER_COUNT:1 UUID:0000-11");
  EXPECT_EQ(parsed.kind, LineKind::firmware_info);
  EXPECT_EQ(parsed.firmware_name, "Prusa-Firmware 3.14.1 based on Marlin");
  EXPECT_EQ(parsed.machine_type, "Prusa i3 MK3S");
  EXPECT_EQ(parsed.uuid, "0000-11");
  EXPECT_EQ(parsed.extruder_count, 1);
}

TEST(ReportParser, survives_any_bytes) {
  std::mt19937 random(7);
  const std::string alphabet = "T:0123456789./ B@WCok E\n\r\t\\=-?()";
  for (int round = 0; round < 20000; ++round) {
    std::string line;
    const auto size = random() % 200;
    for (std::size_t i = 0; i < size; ++i) {
      line +=
          random() % 8 == 0 ? static_cast<char>(random()) : alphabet[random() % alphabet.size()];
    }
    for (const auto& value : parse_line(line).values()) {
      ASSERT_GE(value.celsius, lowest_possible_celsius) << line;
      ASSERT_LE(value.celsius, highest_possible_celsius) << line;
    }
  }
}

std::vector<std::string> split(std::string_view bytes, LineSplitter& splitter) {
  std::vector<std::string> lines;
  for (const char byte : bytes) {
    if (splitter.push(byte)) {
      lines.push_back(std::string(splitter.line()) + "|" +
                      std::string("nrc").substr(static_cast<std::size_t>(splitter.ending()), 1));
    }
  }
  return lines;
}

TEST(LineSplitter, ends_lines_at_lf_cr_lf_and_a_lone_cr) {
  LineSplitter splitter;
  EXPECT_EQ(split("a\nb\r\nc\rd\n\re\r\r\nf", splitter),
            (std::vector<std::string>{"a|n", "b|r", "c|c", "d|n", "|c", "e|c", "|r"}));
  EXPECT_EQ(split("\n", splitter), (std::vector<std::string>{"f|n"}));
}

TEST(LineSplitter, drops_a_long_line_whole_and_counts_it) {
  LineSplitter splitter;
  const std::string longest(LineSplitter::max_line, 'x');
  EXPECT_EQ(split(longest + "\n", splitter).size(), 1U);
  EXPECT_EQ(split(std::string(4096, 'T') + "T:20.0 /0.0\nok\n", splitter),
            (std::vector<std::string>{"ok|n"}));
  EXPECT_EQ(splitter.oversize(), 1U);
}

TEST(LineSplitter, keeps_nul_and_0xff_inside_a_line) {
  LineSplitter splitter;
  const std::string line{
      "T:2\0\xff"
      "0\n",
      7};
  ASSERT_EQ(split(line, splitter).size(), 1U);
  EXPECT_EQ(parse_line(splitter.line()).kind, LineKind::malformed);
}

}  // namespace
}  // namespace firebreak::guard
