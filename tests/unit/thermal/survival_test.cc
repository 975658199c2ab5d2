#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "tests/unit/thermal/diary.h"

namespace firebreak::guard::thermal {
namespace {

/// A guard whose process ends and starts again: only the state's bytes live on.
void restart(Diary& diary, double away_s) {
  const ThermalState kept = diary.state;
  diary.now_ns += seconds_ns(away_s);
  diary.readings = {};  // A new link knows nothing yet.
  diary.state = kept;
  // The monitor is built anew over the same memory.
  std::destroy_at(&diary.monitor);
  std::construct_at(&diary.monitor, diary.profile, diary.state);
}

TEST(Restart, RenewsNoDeadlineOfBlindness) {
  Diary diary;
  for (int i = 0; i < 10; ++i) diary.hotend(200, 200), diary.bed(25, 0), diary.wait(1);
  diary.wait(6);
  restart(diary, 0.5);
  diary.wait(4);
  restart(diary, 0.5);
  diary.wait(10);
  const auto trip = diary.trip();
  EXPECT_EQ(trip.rule, Rule::blind);
  EXPECT_NEAR(trip.at_s, 9 + 15, 0.2) << diary.story();
}

TEST(Restart, KeepsThePeriodOfAHeaterThatDoesNotWarm) {
  Diary diary;
  for (int i = 0; i < 60 && diary.trip().level == Level::none; ++i) {
    diary.hotend(25 + 0.1F * static_cast<float>(i % 3), 200, 1), diary.bed(25, 0), diary.wait(1);
    if (i % 7 == 6) restart(diary, 0.3);
  }
  EXPECT_EQ(diary.trip().rule, Rule::heating_rate) << diary.story();
  EXPECT_LE(diary.trip().at_s, 45);
}

TEST(Restart, KeepsTheDoubt) {
  Diary diary;
  diary.hotend(25, 0), diary.step();
  diary.monitor.doubt(0);
  restart(diary, 0.5);
  EXPECT_TRUE(diary.monitor.doubted(0));
}

TEST(Restart, KnowsTheLastReadingWhenTheLinkKnowsNothing) {
  Diary diary;
  diary.hotend(25, 0), diary.bed(25, 0), diary.wait(1);
  restart(diary, 0.5);
  diary.wait(30);
  EXPECT_EQ(diary.trip().level, Level::none) << "it was cold\n" << diary.story();
}

TEST(State, OfAnotherVersionStartsFresh) {
  Diary diary;
  diary.monitor.doubt(0);
  diary.state.size -= 8;
  ThermalMonitor fresh(diary.profile, diary.state);
  EXPECT_FALSE(fresh.doubted(0));
}

TEST(State, OfAnotherProfileStartsFresh) {
  Diary diary;
  diary.monitor.doubt(0);
  auto other = diary.profile;
  other.heaters.pop_back();
  ThermalMonitor fresh(other, diary.state);
  EXPECT_FALSE(fresh.doubted(0));
}

TEST(State, OfRandomBytesEndsInNoHarmAndStillSeesTheLimit) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 300; ++round) {
    Diary diary;
    auto* bytes = reinterpret_cast<unsigned char*>(&diary.state.heaters);
    for (std::size_t i = 0; i < sizeof(diary.state.heaters); ++i) {
      bytes[i] = static_cast<unsigned char>(random());
    }
    for (int i = 0; i < 5; ++i) diary.hotend(400, 200, 1), diary.bed(60, 60, 1), diary.wait(1);
    EXPECT_TRUE(diary.last_trips & bit(Cause::over_limit));
  }
}

TEST(State, OfRandomBytesStillGoesBlind) {
  std::mt19937_64 random(9);
  for (int round = 0; round < 300; ++round) {
    Diary diary;
    auto* bytes = reinterpret_cast<unsigned char*>(&diary.state.heaters);
    for (std::size_t i = 0; i < sizeof(diary.state.heaters); ++i) {
      bytes[i] = static_cast<unsigned char>(random());
    }
    diary.wait(16);
    EXPECT_TRUE(diary.last_trips & bit(Cause::blind)) << round;
  }
}

TEST(State, RandomReadingsAreJudgedWithinBounds) {
  std::mt19937_64 random(11);
  Diary diary;
  const float odd[] = {
      unknown, 0, -0.0F, 1e30F, -1e30F, 25, 200, 1e-30F, std::numeric_limits<float>::infinity()};
  const auto pick = [&] { return odd[random() % std::size(odd)]; };
  for (int i = 0; i < 20000; ++i) {
    const float celsius = pick();
    diary.hotend(celsius, pick(), pick());
    diary.own(0, pick());
    diary.step();
    const bool sensible = std::isfinite(celsius) && std::fabs(celsius) < 1000;
    ASSERT_TRUE(sensible || (diary.trusted & 1U) == 0) << celsius << " was trusted";
    ASSERT_TRUE(sensible || (diary.possibly_hot & 1U) != 0) << celsius << " was called cold";
    diary.wait(0.1 * static_cast<double>(1 + random() % 20));
    for (const auto& told : diary.told) ASSERT_LE(told.text.size(), 160U);
    diary.told.clear();
    if (random() % 500 == 0) diary.monitor.forget();
  }
}

TEST(State, FitsItsPlaceInTheMappedMemory) { EXPECT_LE(sizeof(ThermalState), 12U * 1024); }

}  // namespace
}  // namespace firebreak::guard::thermal
