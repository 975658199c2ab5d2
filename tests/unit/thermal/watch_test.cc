#include <gtest/gtest.h>

#include "agent/guard/thermal/probation_watch.h"
#include "agent/guard/thermal/sign_of_heat.h"
#include "tests/unit/thermal/diary.h"

namespace firebreak::guard::thermal {
namespace {

class Latched : public ::testing::Test {
 protected:
  void begin(float hotend) {
    diary.hotend(hotend, 200, 1);
    diary.bed(25, 0, 0);
    diary.wait(0.5);
    heat.begin(diary.now_ns);
  }
  /// A second of time with a report; what is seen then.
  std::uint32_t second(float hotend, float target = 0, float duty = 0) {
    diary.wait(0.2);
    diary.hotend(hotend, target, duty);
    diary.wait(0.8);
    return look();
  }
  std::uint32_t look() {
    diary.input.now_ns = diary.now_ns;
    return heat.step(diary.input, diary.readings);
  }

  Diary diary;
  SignOfHeatState state;
  SignOfHeat heat{diary.profile, state};
};

TEST_F(Latched, CoolingIsNoSign) {
  begin(200);
  for (int i = 0; i < 120; ++i) EXPECT_EQ(second(200 - static_cast<float>(i)), 0U) << i;
}

TEST_F(Latched, CreepOfALaggingSensorIsNoSign) {
  begin(120);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(second(120 + 3 * static_cast<float>(i)), 0U) << i;
  for (int i = 0; i < 30; ++i) EXPECT_EQ(second(129 - static_cast<float>(i)), 0U) << i;
}

TEST_F(Latched, ARiseOfFiveKelvinOverTheLowestIsASign) {
  begin(200);
  for (int i = 0; i < 20; ++i) ASSERT_EQ(second(200 - static_cast<float>(i)), 0U);
  EXPECT_EQ(second(184), 0U);
  EXPECT_EQ(second(190), sign::rise);
}

TEST_F(Latched, AFullPowerSwitchIsSeenDuringTheLagToo) {
  begin(100);
  std::uint32_t signs = 0;
  int seconds = 0;
  for (; seconds < 20 && signs == 0; ++seconds)
    signs = second(100 + 4 * static_cast<float>(seconds));
  EXPECT_EQ(signs, sign::rise);
  EXPECT_LE(seconds, 9);
}

TEST_F(Latched, TargetAndDutyCountAfterTheGrace) {
  begin(200);
  EXPECT_EQ(second(200, 200, 1), 0U) << "these reports were on their way";
  EXPECT_EQ(second(199, 200, 1), 0U);
  EXPECT_EQ(second(198, 0, 0.5F), sign::duty);
  EXPECT_EQ(second(197, 200, 0), sign::target);
  EXPECT_EQ(second(196, 0, 0), 0U);
}

TEST_F(Latched, UnknownValuesAreNoSign) {
  begin(200);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(second(unknown, unknown, unknown), 0U);
}

TEST_F(Latched, TheBoardsOwnSensorCounts) {
  diary.own(0, 100);
  begin(100);
  std::uint32_t signs = 0;
  for (int i = 0; i < 30; ++i) {
    diary.own(0, 100 + 2 * static_cast<float>(i));
    signs |= second(100 - static_cast<float>(i));
  }
  EXPECT_EQ(signs, sign::rise);
}

class Probation : public ::testing::Test {
 protected:
  void begin(bool after_hardware = false) {
    diary.wait(1);
    watch.begin(diary.now_ns, after_hardware);
  }
  ProbationVerdict second(float celsius, float target = 0, float duty = 0) {
    diary.wait(0.2);
    diary.hotend(celsius, target, duty);
    diary.bed(24, 0, 0);
    diary.wait(0.8);
    return look();
  }
  ProbationVerdict silent_second() {
    diary.wait(1);
    return look();
  }
  ProbationVerdict look() {
    diary.input.now_ns = diary.now_ns;
    return watch.step(diary.input, diary.readings, diary.trusted);
  }

  Diary diary;  // The profile's boot time is 20 s.
  ProbationState state;
  ProbationWatch watch{diary.profile, state};
};

TEST_F(Probation, SixtyCleanSecondsAfterTheFirstReportAreClean) {
  begin();
  for (int i = 0; i < 8; ++i) ASSERT_EQ(silent_second(), ProbationVerdict::waiting);
  int seconds = 0;
  while (second(25) != ProbationVerdict::clean && seconds < 100) ++seconds;
  EXPECT_NEAR(seconds, 60, 1);
}

TEST_F(Probation, AReportFromBeforeTheClosingDoesNotCount) {
  diary.hotend(25, 0, 0), diary.bed(25, 0, 0);
  begin();
  EXPECT_EQ(silent_second(), ProbationVerdict::waiting);
}

TEST_F(Probation, TheFirstReportMayTakeTheBootTimeAndFifteenSeconds) {
  begin();
  for (int i = 0; i < 34; ++i) ASSERT_EQ(silent_second(), ProbationVerdict::waiting) << i;
  EXPECT_EQ(silent_second(), ProbationVerdict::late_report);
  EXPECT_EQ(second(25), ProbationVerdict::late_report) << "a failure stays";
}

TEST_F(Probation, AfterAHardwareCauseFifteenSecondsMustDo) {
  begin(true);
  for (int i = 0; i < 14; ++i) ASSERT_EQ(silent_second(), ProbationVerdict::waiting) << i;
  EXPECT_EQ(silent_second(), ProbationVerdict::late_report);
}

TEST_F(Probation, APersonWhoConfirmsMayWaitLonger) {
  begin(true);
  for (int i = 0; i < 12; ++i) ASSERT_EQ(silent_second(), ProbationVerdict::waiting);
  watch.confirm(diary.now_ns);
  for (int i = 0; i < 14; ++i) ASSERT_EQ(silent_second(), ProbationVerdict::waiting);
  EXPECT_EQ(silent_second(), ProbationVerdict::late_report);
}

TEST_F(Probation, AConfirmationNeverGoesBeyondTheBootTimeAndFifteenSeconds) {
  begin(true);
  for (int i = 0; i < 34; ++i) {
    watch.confirm(diary.now_ns);
    ASSERT_EQ(silent_second(), ProbationVerdict::waiting) << i;
  }
  watch.confirm(diary.now_ns);
  EXPECT_EQ(silent_second(), ProbationVerdict::late_report);
}

TEST_F(Probation, OwnSensorsMayWaitForTheBoot) {
  begin(true);
  for (int i = 0; i < 34; ++i) {
    diary.own(0, 25), diary.own(1, 25);
    ASSERT_EQ(silent_second(), ProbationVerdict::waiting) << i;
  }
}

TEST_F(Probation, AWeldedSwitchShowsAtPowerUp) {
  begin();
  ASSERT_EQ(second(25), ProbationVerdict::watching);
  EXPECT_EQ(second(28), ProbationVerdict::watching);
  EXPECT_EQ(second(31), ProbationVerdict::heat) << "no lag is allowed for: it had no power";
  EXPECT_EQ(second(25), ProbationVerdict::heat) << "a failure stays";
}

TEST_F(Probation, ATargetOrADutyIsHeat) {
  for (const auto& [target, duty] : {std::pair{60.0F, 0.0F}, std::pair{0.0F, 0.2F}}) {
    begin();
    for (int i = 0; i < 4; ++i) ASSERT_EQ(second(25), ProbationVerdict::watching);
    EXPECT_EQ(second(25, target, duty), ProbationVerdict::heat);
  }
}

TEST_F(Probation, APrinterThatFallsSilentFails) {
  begin();
  for (int i = 0; i < 10; ++i) ASSERT_EQ(second(25), ProbationVerdict::watching);
  ProbationVerdict verdict = ProbationVerdict::watching;
  int seconds = 0;
  for (; verdict == ProbationVerdict::watching && seconds < 60; ++seconds)
    verdict = silent_second();
  EXPECT_EQ(verdict, ProbationVerdict::fell_silent);
  EXPECT_LE(seconds, 15);
}

TEST_F(Probation, ADoubtedSensorIsNoFirstReport) {
  diary.monitor.doubt(0);
  begin();
  EXPECT_EQ(second(25), ProbationVerdict::waiting);
}

TEST_F(Probation, SurvivesARestartWithItsDeadlines) {
  begin();
  for (int i = 0; i < 34; ++i) ASSERT_EQ(silent_second(), ProbationVerdict::waiting) << i;
  ProbationWatch again(diary.profile, state);
  diary.input.now_ns = diary.now_ns + 1'000'000'000;
  EXPECT_EQ(again.step(diary.input, diary.readings, 0), ProbationVerdict::late_report);
}

TEST_F(Probation, TellsWhenAPersonMustHaveLooked) {
  begin(true);
  diary.input.now_ns = diary.now_ns;
  EXPECT_EQ(watch.confirm_due_ns(diary.input) - diary.now_ns, 15'000'000'000);
  for (int i = 0; i < 5; ++i) silent_second();
  watch.confirm(diary.now_ns);
  EXPECT_EQ(watch.confirm_due_ns(diary.input) - diary.now_ns, 15'000'000'000);
  watch.confirm(diary.now_ns - 1'000'000'000);
  EXPECT_EQ(watch.confirm_due_ns(diary.input) - diary.now_ns, 15'000'000'000);
  begin(false);
  EXPECT_EQ(watch.confirm_due_ns(diary.input), 0) << "a mild cause needs nobody to look";
}

}  // namespace
}  // namespace firebreak::guard::thermal
