#include <gtest/gtest.h>

#include "agent/guard/thermal/cooling_proof.h"
#include "tests/unit/thermal/diary.h"

namespace firebreak::guard::thermal {
namespace {

/// A stop and the readings after it.
class Stop : public ::testing::Test {
 protected:
  /// Both heaters as they were a moment before the stop.
  void before(float hotend, float hotend_target, float bed = 25, float bed_target = 0) {
    diary.hotend(hotend - 0.01F, hotend_target, hotend_target > 0 ? 0.3F : 0);
    diary.bed(bed + 0.01F, bed_target, bed_target > 0 ? 0.3F : 0);
    diary.wait(1);
    diary.hotend(hotend, hotend_target, hotend_target > 0 ? 0.3F : 0);
    diary.bed(bed, bed_target, bed_target > 0 ? 0.3F : 0);
    diary.wait(0.5);
    begin();
  }
  void begin() {
    diary.input.now_ns = diary.now_ns;
    diary.input.stopped = true;
    proof.begin(diary.input, diary.readings, diary.monitor);
    begun_s = diary.seconds();
  }

  /// A second of time with a report of both (NaN: no report of that heater).
  CoolingResult second(float hotend, float bed = unknown, float target = 0) {
    diary.wait(0.2);
    if (!std::isnan(hotend)) diary.hotend(hotend, target, target > 0 ? 0.3F : 0);
    if (!std::isnan(bed)) diary.bed(bed, 0, 0);
    diary.wait(0.8);
    return look();
  }
  CoolingResult look() {
    diary.input.now_ns = diary.now_ns;
    return proof.step(diary.input, diary.readings, diary.monitor, halted);
  }

  /// Seconds until `proven` says yes, at most `limit`; both heaters move by a rate each second.
  template <class Proven>
  double until(Proven proven, float hotend, float hotend_rate, float bed, float bed_rate,
               double limit = 60, float target = 0) {
    for (int i = 1; i <= limit; ++i) {
      const auto result = second(hotend + hotend_rate * static_cast<float>(i),
                                 bed + bed_rate * static_cast<float>(i), target);
      if (proven(result)) return diary.seconds() - begun_s;
    }
    return -1;
  }

  Diary diary;
  CoolingState state;
  CoolingProof proof{diary.profile, state};
  bool halted = false;
  double begun_s = 0;
};

constexpr auto cooled = [](const CoolingResult& result) { return result.cooled; };
constexpr auto elsewhere = [](const CoolingResult& result) { return result.cooled_elsewhere; };
constexpr auto risen = [](const CoolingResult& result) { return result.risen; };

TEST_F(Stop, AHotendThatCoolsIsProvenWithinItsWindow) {
  before(210, 210);
  EXPECT_NEAR(to_seconds(proof.window_ns()), 25, 0.01) << "the cold bed's window";
  const auto took = until(cooled, 210, -1.2F, 25, 0);
  EXPECT_GT(took, 20) << "the bed must not have risen over its own window";
  EXPECT_LE(took, 25);
}

TEST_F(Stop, AHeaterThatGoesOnIsNeverProven) {
  before(210, 210);
  EXPECT_EQ(until(cooled, 210, 0, 25, 0), -1);
}

TEST_F(Stop, NoiseAndAControllersWobbleAreNotCooling) {
  before(210, 210);
  for (int i = 0; i < 60; ++i) {
    const float wobble = 0.5F * static_cast<float>(std::sin(i * 0.7));
    EXPECT_FALSE(second(210 + wobble, 25, 210).cooled) << i;
  }
}

TEST_F(Stop, CoolingWithATargetIsNoProof) {
  before(210, 210);
  EXPECT_EQ(until(cooled, 210, -1.2F, 25, 0, 60, 210), -1);
}

TEST_F(Stop, TargetZeroReadBackIsAnAcknowledgement) {
  before(210, 210);
  EXPECT_FALSE(look().acknowledged) << "the reports before the stop do not count";
  EXPECT_FALSE(second(209, unknown, 0).acknowledged) << "the bed has not said so yet";
  EXPECT_TRUE(second(208, 25, 0).acknowledged);
}

TEST_F(Stop, ARiseOfMoreThanThreeKelvinIsTold) {
  before(210, 210);
  const auto took = until(risen, 210, 1, 25, 0);
  EXPECT_NEAR(took, 4.0, 0.6);
}

TEST_F(Stop, ARisenReadingIsNoProofThoughItFallsLater) {
  before(60, 0, 25, 0);
  EXPECT_TRUE(second(64, 25).risen);
  EXPECT_FALSE(second(64, 25).cooled);
}

TEST_F(Stop, AColdPrinterIsProvenWhenItHasNotRisenOverTheWindow) {
  before(25, 0);
  EXPECT_NEAR(to_seconds(proof.window_ns()), 25, 0.01);
  const auto took = until(cooled, 25, 0, 25, 0);
  EXPECT_GE(took, 24.0);
  EXPECT_LE(took, 25.1);
}

TEST_F(Stop, AColdPrinterThatWarmsIsNotProven) {
  before(25, 0);
  EXPECT_EQ(until(cooled, 25, 0.1F, 25, 0, 40), -1);
}

TEST_F(Stop, AColdPrinterWithATargetIsNotProven) {
  before(25, 200);
  EXPECT_EQ(until(cooled, 25, 0, 25, 0, 40, 200), -1);
}

TEST_F(Stop, SilenceIsNeverProof) {
  before(25, 0);
  for (int i = 0; i < 60; ++i) EXPECT_FALSE(second(unknown, unknown).cooled) << i;
}

TEST_F(Stop, OldReadingsAreNoProof) {
  before(210, 210);
  ASSERT_GT(until(cooled, 210, -1.2F, 25, 0), 0);
  for (int i = 0; i < 4; ++i) second(unknown, unknown);
  EXPECT_FALSE(look().cooled);
}

TEST_F(Stop, AHaltedFirmwareThatRepeatsOneNumberProvesNothing) {
  halted = true;
  before(25, 0);
  EXPECT_EQ(until(cooled, 25, 0, 25, 0, 60), -1);
}

TEST_F(Stop, AHaltedFirmwareThatStillMeasuresMayProve) {
  halted = true;
  before(210, 210);
  EXPECT_GT(until(cooled, 210, -1.2F, 25, -0.01F), 0);
}

TEST_F(Stop, ADoubtedSensorProvesNothing) {
  before(210, 210);
  diary.monitor.doubt(0);
  EXPECT_EQ(until(cooled, 210, -1.2F, 25, 0), -1) << "a sensor that fell out cools, too";
}

TEST_F(Stop, TheBoardsOwnSensorProvesWhatADoubtedOneCannot) {
  diary.own(0, 210);
  before(210, 210);
  diary.monitor.doubt(0);
  double took = -1;
  for (int i = 1; i <= 40 && took < 0; ++i) {
    diary.own(0, 210 - 1.2F * static_cast<float>(i));
    if (second(25, 25).cooled_elsewhere) took = diary.seconds() - begun_s;
  }
  EXPECT_GT(took, 0);
  EXPECT_LE(took, 25.1);
}

TEST_F(Stop, AnOwnSensorThatRisesIsTold) {
  diary.own(0, 210);
  before(210, 210);
  diary.wait(0.1);
  diary.own(0, 214);
  EXPECT_TRUE(second(200, 25).risen) << "the printer's own reading falls: the sensor fell out";
}

TEST_F(Stop, WithoutAnOwnSensorNothingIsProvenElsewhere) {
  before(210, 210);
  EXPECT_EQ(until(elsewhere, 210, -1.2F, 25, 0, 40), -1);
}

TEST_F(Stop, ATargetAfterTheGraceIsTold) {
  before(210, 210);
  EXPECT_FALSE(second(210, 25, 210).target_positive) << "it was on its way";
  second(210, 25, 210);
  EXPECT_TRUE(second(210, 25, 210).target_positive);
}

TEST_F(Stop, WithNoReadingAtTheStopTheFirstOneAfterItCounts) {
  begin();
  EXPECT_GT(until(cooled, 210, -1.2F, 60, -0.1F), 0);
}

TEST(CoolingWindow, FollowsTheFormulaOfTheSafetyConcept) {
  struct Row {
    HeaterKind kind;
    float celsius, quantum;
    double seconds;
  };
  for (const auto& row : {
           Row{HeaterKind::hotend, 210, 0.01F, 8},  // 4 + 0.3 / (0.3 * 0.925) = 5.1
           Row{HeaterKind::hotend, 210, 1, 14.8},   // 4 + 3 / 0.2775
           Row{HeaterKind::hotend, 65, 0.1F, 9},    // 4 + 0.3 / 0.06
           Row{HeaterKind::hotend, 30, 1, 8},       // Cold: it must not rise, that is all.
           Row{HeaterKind::bed, 60, 0.1F, 34},      // 14 + 0.3 / (0.3 * 0.05): glass
           Row{HeaterKind::bed, 110, 0.01F, 25},
           Row{HeaterKind::bed, 60, 1, 214},  // Not provable: over 60 s.
           Row{HeaterKind::bed, 25, 1, 25},
       }) {
    EXPECT_NEAR(CoolingProof::window_s(row.kind, row.celsius, row.quantum), row.seconds, 0.3)
        << row.celsius << " " << row.quantum;
  }
}

TEST_F(Stop, AGlassBedInWholeDegreesIsNotProvable) {
  for (int i = 0; i < 3; ++i) diary.hotend(25, 0), diary.bed(60, 60), diary.wait(1);
  begin();
  EXPECT_EQ(proof.window_ns(), 0);
}

TEST_F(Stop, SurvivesARestart) {
  before(210, 210);
  for (int i = 1; i <= 3; ++i) second(210 - 1.2F * static_cast<float>(i), 25);
  CoolingProof again(diary.profile, state);
  EXPECT_TRUE(again.running());
  EXPECT_EQ(again.window_ns(), proof.window_ns());
}

}  // namespace
}  // namespace firebreak::guard::thermal
