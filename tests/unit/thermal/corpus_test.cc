#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "agent/guard/links/report_parser.h"
#include "tests/unit/thermal/diary.h"

namespace firebreak::guard::thermal {
namespace {

/// What a recording made the rules say, and what the firmware said itself.
struct Outcome {
  Diary diary;
  double firmware_fault_at = -1;
  double end = 0;
};

/// Plays a recording of a real Marlin through the report parser and the rules. The printer is
/// cold when the recording begins, as its link found it when it asked for the first time.
Outcome play(const std::string& name) {
  Outcome outcome;
  auto& diary = outcome.diary;
  diary.hotend(24.98F, 0, 0);
  diary.bed(25.02F, 0, 0);
  std::ifstream in(FIREBREAK_SOURCE_DIR "/tests/data/corpus/marlin/" + name + ".log");
  EXPECT_TRUE(in) << name;
  bool killed = false;
  std::string line;
  while (std::getline(in, line)) {
    double at = 0;
    char direction = 0;
    std::istringstream fields(line);
    if (!(fields >> at >> direction) || direction != '<') continue;
    if (line.ends_with("(no newline)")) continue;  // Half a line at the recording's end.
    std::string text = line.substr(line.find('<') + 1);
    if (text.starts_with(' ')) text.erase(0, 1);
    diary.wait(at - diary.seconds());
    outcome.end = at;
    const auto parsed = parse_line(text);
    if (parsed.kind == LineKind::thermal_fault && outcome.firmware_fault_at < 0) {
      outcome.firmware_fault_at = at;
    }
    // From here on the machine has latched: the printer is silent for ever, and that is its news.
    killed |= parsed.kind == LineKind::thermal_fault || parsed.kind == LineKind::halt;
    diary.input.stopped = killed;
    for (const auto& value : parsed.values()) {
      const std::size_t heater = value.heater == ReportedHeater::bed ? 1 : 0;
      const float duty = value.duty_unit == DutyUnit::steps ? value.duty / 127.0F : unknown;
      diary.report(heater, value.celsius, value.target_celsius, duty);
    }
    diary.step();
  }
  return outcome;
}

struct Fault {
  std::string recording;
  Rule rule;         ///< none: the firmware stops itself before any rule must.
  double at_most_s;  ///< The rule, or the firmware's own fault, is known by then.
};

class FaultRecording : public ::testing::TestWithParam<Fault> {};

TEST_P(FaultRecording, IsFound) {
  const auto& fault = GetParam();
  const auto outcome = play(fault.recording);
  const auto trip = outcome.diary.trip();
  if (fault.rule == Rule::none) {
    EXPECT_GE(outcome.firmware_fault_at, 0);
    EXPECT_LE(outcome.firmware_fault_at, fault.at_most_s);
    return;
  }
  ASSERT_EQ(trip.level, Level::trip) << outcome.diary.story();
  EXPECT_EQ(trip.rule, fault.rule) << outcome.diary.story();
  EXPECT_LE(trip.at_s, fault.at_most_s) << outcome.diary.story();
  EXPECT_NE(trip.text, "");
}

// Times: when the fault was made (the recording's own comment) + the rule's time + a report.
INSTANTIATE_TEST_SUITE_P(
    Marlin, FaultRecording,
    ::testing::Values(Fault{"ep_heating_failed", Rule::none, 41.1},
                      Fault{"notp_heating_failed", Rule::heating_rate, 1.0 + 40 + 4.1},
                      Fault{"ep_heating_failed_bed", Rule::none, 61.1},
                      Fault{"ep_thermal_runaway", Rule::hysteresis_heater, 93.7},
                      Fault{"notp_thermal_runaway", Rule::hysteresis_heater, 93.7},
                      Fault{"ep_welded_switch", Rule::power_unexplained, 40.1 + 8 + 5 + 2},
                      Fault{"notp_welded_switch", Rule::power_unexplained, 40.1 + 9 + 2},
                      Fault{"ep_maxtemp", Rule::limit_high, 7.6},
                      Fault{"notp_maxtemp", Rule::limit_high, 7.6},
                      Fault{"ep_maxtemp_thermistor", Rule::none, 6.9},
                      Fault{"ep_maxtemp_bed_idle", Rule::none, 4.0},
                      Fault{"notp_maxtemp_bed_idle", Rule::limit_high, 6.6},
                      Fault{"ep_mintemp", Rule::jump, 5.6}, Fault{"notp_mintemp", Rule::jump, 5.6},
                      Fault{"ep_mintemp_thermistor", Rule::none, 6.9},
                      Fault{"ep_frozen_sensor", Rule::frozen, 11.0 + 20 + 2.1},
                      Fault{"notp_frozen_sensor", Rule::frozen, 11.0 + 20 + 2.1}),
    [](const auto& info) { return info.param.recording; });

class NominalRecording : public ::testing::TestWithParam<std::string> {};

TEST_P(NominalRecording, IsQuiet) {
  const auto outcome = play(GetParam());
  EXPECT_EQ(outcome.diary.trip().level, Level::none) << outcome.diary.story();
  EXPECT_GT(outcome.end, 1.0) << "the recording was not read";
}

INSTANTIATE_TEST_SUITE_P(
    Marlin, NominalRecording,
    ::testing::Values("ep_print_small", "notp_print_small", "ep_autoreport_heatup",
                      "notp_autoreport_heatup", "ep_wait_m109_m190", "notp_wait_m109_m190",
                      "ep_moves_busy", "notp_moves_busy", "ep_power_fans", "notp_power_fans",
                      "ep_numbers_checksums", "notp_numbers_checksums", "ep_boot_identify",
                      "notp_boot_identify", "ep_m112_heating", "notp_m112_heating",
                      "ep_m112_in_m109", "notp_m112_in_m109", "ep_m112_idle", "notp_m112_idle",
                      "ep_m112_numbered", "notp_m112_numbered", "ep_homing_failed",
                      "notp_homing_failed"),
    [](const auto& info) { return info.param; });

}  // namespace
}  // namespace firebreak::guard::thermal
