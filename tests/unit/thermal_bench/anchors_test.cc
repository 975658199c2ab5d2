#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "tests/thermal/anchors/anchor.h"

namespace firebreak::thermal_bench {
namespace {

/// A heater as its autotune would see it: 4 K/s at full power, 2 s late, losing 0.8 K/s at 210 °C.
AnchorSetup hotend() {
  AnchorSetup setup;
  setup.response = {4, 2, 3, 60, 0.8, 1.0};
  return setup;
}

/// 0.6 K/s at full power, losing 0.1 K/s at 60 °C.
AnchorSetup bed() {
  AnchorSetup setup;
  setup.kind = HeaterKind::bed;
  setup.limit_celsius = 125;
  setup.watts = 220;
  setup.tuned_at_celsius = 60;
  setup.response = {0.6, 8, 0.45, 90, 0.1, 0.1};
  return setup;
}

using Reading = std::function<AnchorSample(double t_s)>;

/// Seconds until the anchor faults, or -1 if it never does within `longest_s`.
double faults_after(Anchor& anchor, double longest_s, const Reading& reading, double from_s = 0) {
  for (double t = from_s; t < from_s + longest_s; t += anchor.period_s()) {
    AnchorSample sample = reading(t);
    sample.t_s = t;
    if (anchor.step(sample)) return t - from_s;
  }
  return -1;
}

/// Stands at the target for a minute, so that every rule counts it as met.
void settle(Anchor& anchor, double target, double duty = 0.2) {
  ASSERT_EQ(faults_after(anchor, 60,
                         [&](double) {
                           return AnchorSample{0, target, target, duty, 0};
                         }),
            -1);
}

Reading constant(double reading, double target, double duty) {
  return [=](double) { return AnchorSample{0, reading, target, duty, 0}; };
}

Reading line(double from, double kelvin_per_s, double target, double duty, double from_s = 60) {
  return [=](double t) {
    return AnchorSample{0, from + kelvin_per_s * (t - from_s), target, duty, 0};
  };
}

TEST(Klipper, FindsAHeaterThatNoLongerHeatsByKelvinSeconds) {
  const auto klipper = make_klipper(hotend());
  settle(*klipper, 210);
  // 5 K below after 6 s, then 120 K·s of a growing error: sqrt(2 · 120 / 0.8) = 17 s.
  const double s = faults_after(*klipper, 120, line(210, -0.8, 210, 1), 60);
  EXPECT_GT(s, 18);
  EXPECT_LT(s, 28);
}

TEST(Klipper, FindsAHeatUpThatDoesNotRise) {
  const auto klipper = make_klipper(hotend());
  // The first window of 20 s must pass, and 120 K·s have long gone.
  const double s = faults_after(*klipper, 120, constant(25, 210, 1));
  EXPECT_GE(s, 20);
  EXPECT_LT(s, 25);
}

TEST(Klipper, FindsAReadingOutOfRangeAfterFourOfThem) {
  const auto klipper = make_klipper(hotend());
  EXPECT_NEAR(faults_after(*klipper, 10, constant(291, 210, 0)), 0.9, 0.01);
  EXPECT_NEAR(faults_after(*make_klipper(hotend()), 10, constant(-30, 210, 1)), 0.9, 0.01);
}

TEST(Klipper, IsBlindAboveTheTargetWithoutTargetAndToAFrozenReading) {
  for (const auto& unseen : {line(210, 0.5, 210, 0), line(25, 0.5, 0, 0, 0)}) {
    const auto klipper = make_klipper(hotend());
    EXPECT_EQ(faults_after(*klipper, 100, unseen), -1);
  }
  EXPECT_EQ(faults_after(*make_klipper(hotend()), 7200, constant(209.7, 210, 0.3)), -1);
}

TEST(Marlin, FindsAReadingThatStaysFourKelvinBelowForFortySeconds) {
  const auto marlin = make_marlin(hotend());
  settle(*marlin, 210);
  EXPECT_NEAR(faults_after(*marlin, 120, constant(205, 210, 1), 60), 40, 0.5);
  const auto of_bed = make_marlin(bed());
  settle(*of_bed, 60);
  EXPECT_NEAR(faults_after(*of_bed, 120, constant(57, 60, 1), 60), 20, 0.5);
}

TEST(Marlin, FindsAHeatUpWithoutGain) {
  EXPECT_NEAR(faults_after(*make_marlin(hotend()), 120, constant(25, 210, 1)), 40, 0.5);
  EXPECT_NEAR(faults_after(*make_marlin(bed()), 120, constant(25, 60, 1)), 60, 0.5);
}

TEST(Marlin, IsBlindToAReadingThatSticksJustUnderATargetNeverMet) {
  EXPECT_EQ(faults_after(*make_marlin(hotend()), 7200, constant(300 - 6, 300, 1)), 0.0)
      << "over its limit, that is seen";
  AnchorSetup wide = hotend();
  wide.limit_celsius = 320;
  EXPECT_EQ(faults_after(*make_marlin(wide), 7200, constant(300, 305, 1)), -1);
}

TEST(Marlin, StartsAgainAtEachChangeOfTheTarget) {
  const auto marlin = make_marlin(hotend());
  settle(*marlin, 210);
  const auto edited = [](double t) {
    const double target = static_cast<int>(t / 30) % 2 == 0 ? 210 : 209;
    return AnchorSample{0, 203.5, target, 1, 0};
  };
  EXPECT_EQ(faults_after(*marlin, 7200, edited, 60), -1);
}

TEST(Marlin, WatchesTheColdEndOnlyWithATarget) {
  EXPECT_EQ(faults_after(*make_marlin(hotend()), 600, constant(-14, 0, 0)), -1);
  EXPECT_EQ(faults_after(*make_marlin(hotend()), 600, constant(-14, 210, 1)), 0);
}

TEST(Marlin, FindsAFrozenReadingOnlyWithItsVarianceMonitor) {
  const auto plain = make_marlin(hotend());
  const auto variance = make_marlin_variance(hotend());
  settle(*plain, 210);
  EXPECT_EQ(faults_after(*plain, 7200, constant(209.9, 210, 0.3), 60), -1);
  EXPECT_NEAR(faults_after(*variance, 7200, constant(209.9, 210, 0.3)), 40, 0.5);
}

TEST(Prusa, ModelFindsAHotendThatHeatsWithoutBeingAsked) {
  const auto prusa = make_prusa(hotend());
  const double s = faults_after(*prusa, 60, line(25, 4, 0, 0, 0));
  EXPECT_GT(s, 0);
  EXPECT_LT(s, 8);
}

TEST(Prusa, ModelFindsASensorThatFellOutAtOnce) {
  const auto prusa = make_prusa(hotend());
  settle(*prusa, 210);
  const double s = faults_after(*prusa, 60, line(210, -20, 210, 1), 60);
  EXPECT_GE(s, 0);
  EXPECT_LT(s, 2);
}

TEST(Prusa, ModelIsBlindToASmallLossOfPowerAtEquilibrium) {
  const auto prusa = make_prusa(hotend());
  EXPECT_EQ(faults_after(*prusa, 3600, constant(210, 210, 0.4)), -1);
}

TEST(Prusa, BedHasNoModelAndOnlyTheClassicRule) {
  EXPECT_EQ(faults_after(*make_prusa(bed()), 200, line(25, 0.4, 0, 0, 0)), -1);
  const auto prusa = make_prusa(bed());
  settle(*prusa, 60);
  EXPECT_NEAR(faults_after(*prusa, 900, constant(50, 60, 1), 60), 360, 4);
}

TEST(Prusa, ClassicRuleFindsABedThatDoesNotHeatAfterFourMisses) {
  EXPECT_NEAR(faults_after(*make_prusa(bed()), 900, constant(25, 60, 1)), 4 * 34, 8);
}

TEST(RepRap, FindsAnExcursionOnBothSidesInFiveSeconds) {
  for (const double reading : {194.0, 226.0}) {
    const auto reprap = make_reprap(hotend());
    settle(*reprap, 210);
    EXPECT_NEAR(faults_after(*reprap, 60, constant(reading, 210, 0.5), 60), 5, 0.6);
  }
}

TEST(RepRap, FindsAHeatUpThatIsTooSlowForItsModel) {
  const double s = faults_after(*make_reprap(hotend()), 120, constant(25, 210, 1));
  EXPECT_GT(s, 4);
  EXPECT_LT(s, 14);
}

TEST(RepRap, IsBlindWhileOffWhileCoolingAndBelowFortyFive) {
  EXPECT_EQ(faults_after(*make_reprap(hotend()), 60, line(25, 4, 0, 0, 0)), -1);
  const auto cooling = make_reprap(hotend());
  settle(*cooling, 210);
  EXPECT_EQ(faults_after(*cooling, 60, line(210, 1, 180, 0), 60), -1);
  const auto low = make_reprap(bed());
  settle(*low, 40);
  EXPECT_EQ(faults_after(*low, 100, constant(58, 40, 0), 60), -1);
}

TEST(RepRap, IsBlindToAnOpenSensorThatReadsRoomTemperatureWhileOff) {
  EXPECT_EQ(faults_after(*make_reprap(hotend()), 600, constant(25, 0, 0)), -1);
}

TEST(EveryFirmware, IsBlindToAFrozenReadingAtTheTarget) {
  for (const auto make : {make_klipper, make_marlin, make_prusa, make_reprap}) {
    const auto anchor = make(bed());
    EXPECT_EQ(faults_after(*anchor, 3600, constant(60, 60, 0.25)), -1);
  }
}

}  // namespace
}  // namespace firebreak::thermal_bench
