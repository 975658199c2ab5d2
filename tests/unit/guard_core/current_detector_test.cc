#include "agent/guard/thermal/current_detector.h"

#include <gtest/gtest.h>

namespace firebreak::guard::thermal {
namespace {

/// A heater's wire, a sensor at 5 Hz and a firmware that reports each second.
class CurrentTest : public ::testing::Test {
 protected:
  /// Time goes by; returns after how many seconds something was found, or -1.
  double run(double seconds) {
    for (int i = 1; i <= static_cast<int>(seconds * 10 + 0.5); ++i) {
      view.now_ns += 100'000'000;
      ++tenths;
      if (!silent && tenths % 2 == 0) {
        view.amps = amps;
        view.amps_at_ns = view.now_ns;
      }
      if (tenths % 10 == 0) {
        view.target_celsius = target;
        view.duty = duty;
        view.reported_at_ns = view.now_ns;
      }
      const auto found = detector.step(view);
      if (found.onset) {
        last = found;
        return i / 10.0;
      }
    }
    return -1;
  }

  CurrentState state;
  CurrentDetector detector{state};
  CurrentView view{1'000'000'000'000, unknown, 0, unknown, unknown, 0, false, 0, false};
  CurrentFinding last;
  float amps = 0.02F, target = 0, duty = 0;
  int tenths = 0;
  bool silent = false;
};

TEST_F(CurrentTest, AmpsWhileToldOffAreAStuckSwitchWithinTwoReports) {
  EXPECT_EQ(run(30), -1);
  amps = 1.7F;
  const double after = run(10);
  EXPECT_GT(after, 0.9);
  EXPECT_LE(after, 2.2);
  EXPECT_TRUE(last.trips);
  EXPECT_EQ(last.cause, Cause::stuck_on);
}

TEST_F(CurrentTest, AmpsBehindAnOpenRelayAreAStuckSwitchInOneSecond) {
  target = 200;
  duty = 1;
  amps = 1.7F;
  EXPECT_EQ(run(30), -1);
  view.relay_open = view.stopped = true;
  view.relay_since_ns = view.now_ns;
  const double after = run(10);
  EXPECT_GE(after, 1.4) << "a contactor may take its time";
  EXPECT_LE(after, 1.7);
}

TEST_F(CurrentTest, AHeaterThatWasJustToldToHeatIsNoFault) {
  run(5);
  // On since just after a report: the firmware still says off for most of a second.
  run(0.5);
  amps = 1.7F;
  run(0.4);
  target = 200;
  duty = 1;
  EXPECT_EQ(run(30), -1);
  // And the other way: its last pulse ends.
  amps = 0.02F;
  target = 0;
  duty = 0;
  EXPECT_EQ(run(30), -1);
}

TEST_F(CurrentTest, NoAmpsAtFullDutyAreAnOpenHeater) {
  target = 200;
  duty = 1;
  amps = 1.7F;
  EXPECT_EQ(run(30), -1);
  amps = 0.03F;
  const double after = run(10);
  EXPECT_GE(after, 2.5);
  EXPECT_LE(after, 4.5);
  EXPECT_EQ(last.cause, Cause::heater_open);
}

TEST_F(CurrentTest, AtHalfDutyOrWhileStoppedNoAmpsAreNothing) {
  target = 200;
  duty = 0.5F;
  EXPECT_EQ(run(30), -1);
  duty = 1;
  view.stopped = true;
  EXPECT_EQ(run(30), -1);
}

TEST_F(CurrentTest, ASilentSensorWarnsAndJudgesNothing) {
  run(5);
  silent = true;
  EXPECT_GT(run(10), 2.5);
  EXPECT_FALSE(last.trips);
  EXPECT_EQ(last.rule, "current.stale");
  target = 200;
  duty = 1;
  EXPECT_EQ(run(30), -1);
}

TEST_F(CurrentTest, AnUnknownCommandProvesNothing) {
  target = unknown;
  duty = unknown;
  amps = 1.7F;
  EXPECT_EQ(run(30), -1);
}

}  // namespace
}  // namespace firebreak::guard::thermal
