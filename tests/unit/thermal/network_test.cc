#include <gtest/gtest.h>

#include "tests/unit/thermal/diary.h"

namespace firebreak::guard::thermal {
namespace {

/// A minute at 200 °C; then silence. Returns how long after the last reading it was a trip.
double seconds_until_blind(Diary& diary, float target, float celsius_at_the_end) {
  for (int i = 0; i < 60; ++i) {
    const float rest = static_cast<float>(59 - i);
    const float slope = (200 - celsius_at_the_end) / 59;
    diary.hotend(celsius_at_the_end + slope * rest + 0.1F * static_cast<float>(i % 3), target);
    diary.bed(25, 0);
    diary.wait(1);
  }
  const double last_s = 59;
  for (int i = 0; i < 900 && !diary.has(Rule::blind); ++i) diary.wait(0.1);
  return diary.trip().at_s - last_s;
}

TEST(ANetworkPrinter, ThatHeatsIsBlindAfter15Seconds) {
  Diary diary;
  diary.input.network = diary.input.protection_verified = true;
  diary.hotend(120, 200), diary.bed(25, 0), diary.wait(20);
  EXPECT_NEAR(diary.trip().at_s, 15, 0.2);
}

TEST(ANetworkPrinter, WithVerifiedFirmwareThatHeldItsTargetMayBeAwayForAMinute) {
  Diary diary;
  diary.input.network = diary.input.protection_verified = true;
  EXPECT_NEAR(seconds_until_blind(diary, 200, 200), 60, 0.3);
}

TEST(ANetworkPrinter, WithUnverifiedFirmwareMayNot) {
  Diary diary;
  diary.input.network = true;
  EXPECT_NEAR(seconds_until_blind(diary, 200, 200), 15, 0.3);
}

TEST(ANetworkPrinter, ThatCoolsWithVerifiedFirmwareMayBeAwayForAMinute) {
  Diary diary;
  diary.input.network = diary.input.protection_verified = true;
  EXPECT_NEAR(seconds_until_blind(diary, 0, 120), 60, 0.3);
}

TEST(ANetworkPrinter, ThatWasColdAndIsNotHeardMayHeatByNow) {
  Diary diary;
  diary.input.network = true;
  diary.hotend(25, 0), diary.bed(25, 0), diary.wait(20);
  EXPECT_NEAR(diary.trip().at_s, 15, 0.2);
}

TEST(KlipperThatRestarts, WithAllTargetsAt0Has30Seconds) {
  Diary diary;
  for (int i = 0; i < 10; ++i) {
    diary.hotend(90.0F - static_cast<float>(i), 0, 0), diary.bed(25, 0, 0), diary.wait(1);
  }
  diary.input.restarting = true;
  diary.wait(35);
  EXPECT_NEAR(diary.trip().at_s, 39, 0.3);
}

}  // namespace
}  // namespace firebreak::guard::thermal
