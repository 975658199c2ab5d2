#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/cli/replay/chart.h"
#include "coordinator/cli/replay/csv_reader.h"
#include "coordinator/cli/replay/log_reader.h"
#include "coordinator/cli/replay/player.h"

namespace firebreak::cli::replay {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const std::string header = "t,heater,temp,target,duty,fan,flow\n";

TEST(Csv, ReadsEveryFieldAndLeavesEmptyOnesUnknown) {
  const auto trace =
      parse_csv(header + "0.5,hotend,200.25,210,0.3,0.5,7.5\r\n1,bed,60,60,,,,extra\n", "x.csv");
  ASSERT_TRUE(trace) << trace.error().message;
  ASSERT_EQ(trace->size(), 2U);
  EXPECT_EQ((*trace)[0].t_s, 0.5);
  EXPECT_FLOAT_EQ((*trace)[0].celsius, 200.25F);
  EXPECT_FLOAT_EQ((*trace)[0].flow_mm3_per_s, 7.5F);
  EXPECT_EQ((*trace)[1].heater, guard::HeaterKind::bed);
  EXPECT_TRUE(std::isnan((*trace)[1].duty));
}

TEST(Csv, TellsFileLineAndWhatIsWrong) {
  const auto said = [](const std::string& rows) {
    const auto trace = parse_csv(header + rows, "x.csv");
    return trace ? std::string("good") : trace.error().message;
  };
  EXPECT_THAT(said("0,hotend,x,0,,,\n"), HasSubstr("x.csv:2: temp 'x' is no temperature"));
  EXPECT_THAT(said("0,nozzle,1,0,,,\n"), HasSubstr("x.csv:2: heater 'nozzle'"));
  EXPECT_THAT(said("0,bed,1,0,1.5,,\n"), HasSubstr("x.csv:2: duty '1.5' is out of range"));
  EXPECT_THAT(said("5,bed,1,0,,,\n4,bed,1,0,,,\n"), HasSubstr("x.csv:3: t '4' is earlier"));
  EXPECT_THAT(said("0,bed,1\n"), HasSubstr("x.csv:2: has fewer than seven fields"));
  EXPECT_THAT(said(""), HasSubstr("holds no readings"));
  EXPECT_THAT(parse_csv("time,temp\n", "x.csv").error().message, HasSubstr("x.csv:1: expected"));
}

/// A hotend that heats, holds, and from `fault_s` on rises at full power whatever it is told.
std::string stuck_trace(int fault_s) {
  std::string text = header;
  double celsius = 25;
  for (int t = 0; t < fault_s + 60; ++t) {
    const bool heating = t > 20 && celsius < 200;
    const double duty = t <= 20 ? 0 : (heating ? 1 : 0.35);
    if (heating) celsius += 3;
    if (t > fault_s) celsius += 2.5;
    text += fmt::format("{},hotend,{:.2f},{},{},0,0\n", t, celsius + 0.05 * (t % 3),
                        t > 20 ? 200 : 0, t > fault_s + 2 ? 0 : duty);
  }
  return text;
}

TEST(Player, FindsAStuckSwitchAndSaysWhen) {
  const auto trace = parse_csv(stuck_trace(300), "x.csv");
  ASSERT_TRUE(trace);
  const auto outcome = play(*trace, {});
  ASSERT_TRUE(outcome.first_trip);
  const auto& found = outcome.found[*outcome.first_trip];
  EXPECT_EQ(found.heater, "hotend");
  EXPECT_EQ(found.verdict.cause, guard::Cause::stuck_on);
  EXPECT_GE(found.t_s, 300);
  EXPECT_LE(found.t_s, 330);
  EXPECT_EQ(outcome.samples, trace->size());
}

TEST(Player, SilenceInARecordingIsBlindness) {
  auto trace = parse_csv(stuck_trace(300), "x.csv").value();
  trace.resize(250);
  trace.push_back(trace.back());
  trace.back().t_s += 60;
  const auto outcome = play(trace, {});
  ASSERT_TRUE(outcome.first_trip);
  EXPECT_EQ(outcome.found[*outcome.first_trip].verdict.rule, guard::thermal::Rule::blind);
}

TEST(Logs, OctoPrintsReportsAndItsHostsFan) {
  const std::string log =
      "2026-03-01 23:59:59,500 - Send: N1 M106 S255*1\n"
      "2026-03-01 23:59:59,600 - Recv: ok\n"
      "2026-03-01 23:59:59,900 - Recv:  T:210.02 /210.00 B:60.10 /60.00 @:64 B@:32\n"
      "2026-03-02 00:00:01,900 - Recv:  T:211.02 /210.00 B:60.20 /60.00 @:127 B@:0\n";
  EXPECT_EQ(kind_of_log(log), LogKind::octoprint);
  const auto trace = parse_octoprint_log(log, "serial.log");
  ASSERT_TRUE(trace) << trace.error().message;
  ASSERT_EQ(trace->size(), 4U);
  EXPECT_NEAR((*trace)[2].t_s - (*trace)[0].t_s, 2, 1e-3) << "over midnight";
  EXPECT_FLOAT_EQ((*trace)[2].celsius, 211.02F);
  EXPECT_FLOAT_EQ((*trace)[2].duty, 1);
  EXPECT_FLOAT_EQ((*trace)[0].fan, 1);
}

TEST(Logs, KlippersStats) {
  const std::string log =
      "Stats 100.5: gcodein=0  heater_bed: target=60 temp=59.9 pwm=0.350 print_time=1.2 "
      "extruder: target=210 temp=209.7 pwm=0.412 sysload=0.1\n"
      "Stats 101.5: gcodein=0  heater_bed: target=60 temp=60.0 pwm=0.300 extruder: target=210 "
      "temp=209.9 pwm=0.400\n";
  EXPECT_EQ(kind_of_log(log), LogKind::klippy);
  const auto trace = parse_klippy_log(log, "klippy.log");
  ASSERT_TRUE(trace) << trace.error().message;
  ASSERT_EQ(trace->size(), 4U);
  EXPECT_FLOAT_EQ((*trace)[0].celsius, 209.7F);
  EXPECT_FLOAT_EQ((*trace)[1].duty, 0.35F);
  EXPECT_FALSE(parse_klippy_log(log + "Stats 5.0: gcodein=0\n", "klippy.log"))
      << "a restart is not guessed over";
}

TEST(Chart, DrawsTheCurvesAndMarksTheTrip) {
  const auto trace = parse_csv(stuck_trace(300), "x.csv").value();
  HeaterChart chart{"hotend", {}};
  const auto outcome = play(trace, {}, [&](const TraceRow& row, float unexplained) {
    chart.points.push_back({row.t_s, row.celsius, row.target_celsius, row.duty, unexplained});
  });
  const auto text = draw_text({chart}, outcome, 80);
  EXPECT_THAT(text, HasSubstr("T trip"));
  EXPECT_THAT(text, HasSubstr("unexplained power"));
  const auto svg = draw_svg({chart}, outcome);
  EXPECT_THAT(svg, HasSubstr("<svg xmlns"));
  EXPECT_THAT(svg, HasSubstr("</svg>"));
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
}

}  // namespace
}  // namespace firebreak::cli::replay
