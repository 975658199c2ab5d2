// What the firmware does with lines, stops and faults.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <regex>

#include "tests/unit/simulator/host.h"

namespace firebreak::sim::test {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr char kLastWords[] =
    "echo:M112 Shutdown\nError:Printer halted. kill() called!\n//action:poweroff\n";

TEST(Firmware, IsSilentForEverAfterAHalt) {
  Host host;
  host.send("M155 S1\n");
  EXPECT_EQ(host.ask("M112"), std::string("ok\n") + kLastWords);
  host.text.clear();
  for (const char* line : {"M105", "M115", "M999", "M112", "M104 S0", "G28"}) host.ask(line);
  host.wait(hours(24));
  EXPECT_EQ(host.text, "");
  EXPECT_EQ(host.printer.firmware().state(), FirmwareState::halted);
}

TEST(Firmware, LivesAgainAfterAResetAndHasForgottenItsTargets) {
  Host host;
  host.ask("M104 S200");
  host.ask("M112");
  host.printer.reset();
  host.wait(seconds(2));
  EXPECT_TRUE(host.said("start\n"));
  EXPECT_EQ(host.hotend().target_celsius, 0);
  EXPECT_TRUE(host.ask("M105").starts_with("ok T:"));
}

TEST(Firmware, EndsHeatWhenItHalts) {
  Host host;
  host.ask("M104 S200", seconds(5));
  EXPECT_GT(host.hotend().watts, 0);
  host.ask("M112");
  EXPECT_EQ(host.hotend().watts, 0);
}

TEST(Firmware, HasNoPowerOverAWeldedSwitch) {
  Host host;
  host.printer.set_fault(Fault::heater_on, true);
  host.ask("M112");
  const double before = host.hotend().body_celsius;
  host.wait(seconds(20));
  EXPECT_GT(host.hotend().body_celsius, before + 40);
}

TEST(Firmware, EmergencyParserDoesNotSeeAHaltBehindHalfALine) {
  Host host;
  host.send("G1 X10 ");
  EXPECT_EQ(host.ask("M112"), "ok\n");
  host.send("G1 X20 ");
  EXPECT_TRUE(host.ask("\nM112").ends_with(kLastWords));
}

TEST(Firmware, EmergencyParserHaltsInTheMiddleOfADwell) {
  Host host;
  host.send("G4 S100\nG4 S100\nG4 S100\nG4 S100\nG4 S100\n");
  EXPECT_EQ(host.ask("M112"), kLastWords);
}

TEST(Firmware, WithoutEmergencyParserAFullQueueHoldsAHaltBack) {
  Host host(without_emergency_parser());
  for (int i = 0; i < 6; ++i) host.send("G4 S4\n");
  EXPECT_EQ(host.ask("M112", seconds(11)).find("M112"), std::string::npos);
  EXPECT_TRUE(host.ask("", seconds(2)).ends_with(kLastWords));
}

TEST(Firmware, WithoutEmergencyParserANumberedHaltWaitsForItsTurn) {
  Host host(without_emergency_parser());
  host.ask("M110 N11");
  host.send("G4 S5\n");
  EXPECT_FALSE(host.ask("N12 M112*18", seconds(4)).ends_with(kLastWords));
  EXPECT_TRUE(host.ask("", seconds(2)).ends_with(kLastWords));
}

TEST(Firmware, WithoutEmergencyParserABareHaltActsInAHeatWait) {
  Host host(without_emergency_parser());
  host.ask("M109 S200", seconds(3));
  EXPECT_TRUE(host.ask("M112").ends_with(kLastWords));
}

TEST(Firmware, TakesTheRepeatOfALineForDoneAndSaysNothing) {
  Host host;
  host.ask("N1 M105*38");
  EXPECT_EQ(host.ask("N1 M105*38"), "");
  EXPECT_TRUE(host.ask("N2 M105*37").starts_with("ok T:"));
}

TEST(Firmware, IgnoresAHaltWhenThatFaultIsOn) {
  for (const bool parser : {true, false}) {
    PrinterConfig config;
    config.dialect.emergency_parser = parser;
    Host host(config);
    host.printer.set_fault(Fault::halt_ignored, true);
    EXPECT_EQ(host.ask("M112"), "ok\n");
    EXPECT_TRUE(host.ask("M105").starts_with("ok T:"));
  }
}

TEST(Firmware, HungAnswersNothingAndKeepsItsHeat) {
  Host host;
  host.ask("M104 S250", seconds(5));
  host.printer.set_fault(Fault::hung, true);
  EXPECT_EQ(host.ask("M105\nM112\n", seconds(60)), "");
  EXPECT_DOUBLE_EQ(host.hotend().watts, host.printer.config().hotend.full_watts);
  host.printer.reset();
  host.wait(seconds(2));
  EXPECT_TRUE(host.said("start\n"));
  EXPECT_EQ(host.hotend().watts, 0);
}

TEST(Firmware, LosesBytesOnAFullRingOnlyWhenTheHostCannotBeMadeToWait) {
  for (const FullInput input : {FullInput::wait, FullInput::drop}) {
    PrinterConfig config;
    config.dialect.full_input = input;
    Host host(config);
    host.send("G4 S30\n");
    for (int i = 0; i < 40; ++i) host.send("M117 a line of text\n");
    host.wait(seconds(60));
    const bool lost = host.printer.firmware().dropped() > 0;
    EXPECT_EQ(lost, input == FullInput::drop);
    const auto answers = std::count(host.text.begin(), host.text.end(), '\n');
    EXPECT_EQ(answers >= 41, input == FullInput::wait);
  }
}

TEST(Firmware, TakesFromTheHostOnlyWhatItHasRoomFor) {
  Host host;
  EXPECT_GT(host.printer.input_room(), 0u);
  host.send("G4 S1000\n");
  for (int i = 0; i < 100 && host.printer.input_room() > 0; ++i) {
    host.send(std::string(std::min<std::size_t>(6, host.printer.input_room()), '\n'));
    host.send("M117 x\n");
    host.wait(milliseconds(10));
  }
  EXPECT_EQ(host.printer.input_room(), 0u);
}

TEST(Firmware, SaysTheBannerAgainWhenItsSupplyReturns) {
  Host host;
  host.printer.set_board_power(false);
  EXPECT_EQ(host.ask("M105", minutes(1)), "");
  host.printer.set_board_power(true);
  host.wait(seconds(2));
  EXPECT_TRUE(host.said("start\n"));
}

TEST(Firmware, StopsItselfAtAShortedThermistorUnlessItsProtectionIsOff) {
  Host guarded;
  guarded.printer.set_fault(Fault::sensor_short, true);
  guarded.wait(seconds(1));
  EXPECT_TRUE(guarded.said("Error:MAXTEMP triggered, system stopped! Heater_ID: E0"));
  Host open;
  open.printer.set_fault(Fault::protection_off, true);
  open.printer.set_fault(Fault::sensor_short, true);
  open.wait(minutes(2));
  EXPECT_EQ(open.text, "");
}

TEST(Firmware, GivesJunkAtTheRateThatIsAsked) {
  Host host;
  host.printer.set_fault(Fault::junk, true, HeaterId::hotend, 1e6);
  host.wait(seconds(1));
  EXPECT_NEAR(static_cast<double>(host.text.size()), 1e6, 2e4);
}

TEST(Firmware, SaysTheSameBytesFromTheSameSeed) {
  const auto dialogue = [](std::uint64_t seed) {
    PrinterConfig config;
    config.seed = seed;
    Host host(config);
    host.send("M155 S1\nM104 S215\nM140 S60\n");
    for (int i = 0; i < 100; ++i) host.ask("G1 X" + std::to_string(i % 50) + " F3000");
    host.printer.set_fault(Fault::junk, true, HeaterId::hotend, 1000);
    host.wait(minutes(2));
    return host.text;
  };
  EXPECT_EQ(dialogue(1), dialogue(1));
  EXPECT_NE(dialogue(1), dialogue(2));
}

TEST(Firmware, AnswersTheSameWhateverPiecesTimeIsCutInto) {
  const auto dialogue = [](Nanos step) {
    Host host;
    host.send("M155 S1\nG1 X90 F600\nM400\nG4 S5\nG28\nM114\n");
    for (Nanos time{0}; time < minutes(1); time += step) host.wait(step);
    static const std::regex measured("[TB]:[0-9.]+");  // heat is integrated in other pieces
    return std::regex_replace(host.text, measured, "#");
  };
  EXPECT_EQ(dialogue(milliseconds(1)), dialogue(seconds(1)));
}

// Streams a file line by line, each when the one before is answered.
void stream(const std::string& name, Host* host) {
  std::ifstream file(std::string(FIREBREAK_SOURCE_DIR "/tests/data/gcode/") + name);
  ASSERT_TRUE(file) << name;
  for (std::string line; std::getline(file, line);) {
    line = line.substr(0, line.find(';'));
    if (line.find_first_not_of(' ') == std::string::npos) continue;
    host->text.clear();
    host->send(line + "\n");
    const Nanos limit = host->printer.now() + minutes(30);
    while (host->text.find("ok") == std::string::npos) {
      host->wait(milliseconds(20));
      ASSERT_LT(host->printer.now(), limit) << line;
    }
    ASSERT_FALSE(host->said("Unknown command")) << host->text;
    ASSERT_FALSE(host->said("cold extrusion")) << line;
    ASSERT_EQ(host->printer.firmware().state(), FirmwareState::running) << host->text;
  }
}

TEST(Firmware, PrintsWholeSlicedFiles) {
  for (const char* name : {"cube.gcode", "sliced_cube.gcode"}) {
    Host host;
    stream(name, &host);
    EXPECT_GT(host.printer.now(), minutes(4)) << name;
    EXPECT_LT(host.printer.now(), hours(2)) << name;
    host.wait(minutes(60));
    EXPECT_LT(host.hotend().body_celsius, 45) << name;
  }
}

TEST(Firmware, OnlyTheBytesOutOfBandStopABusyRepRapFirmwareOnASerialLine) {
  PrinterConfig config = without_emergency_parser();
  config.dialect.emergency_bytes = true;
  Host host(config);
  host.ask("M104 S200");
  host.send("G28\nM112\n");
  host.wait(std::chrono::seconds(1));
  EXPECT_EQ(host.printer.firmware().state(), FirmwareState::running);
  host.send("\xF0\x0F");
  host.wait(std::chrono::milliseconds(10));
  EXPECT_EQ(host.printer.firmware().state(), FirmwareState::halted);
  EXPECT_EQ(host.hotend().duty, 0);
}

}  // namespace
}  // namespace firebreak::sim::test
