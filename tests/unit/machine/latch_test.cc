#include "tests/unit/machine/story.h"

namespace firebreak::guard::machine {
namespace {

using namespace std::chrono_literals;

TEST(AStoppedPrinter, TakesANewCauseWithANewLatchNumber) {
  Story story = Story::tripped_by(Cause::person);
  story.facts.cooled = true;
  story.after(1ms);
  ASSERT_EQ(story.state(), "tripped");
  const auto number = story.memory.generation;
  story.trip(Cause::smoke);
  EXPECT_EQ(story.state(), "cutting");
  EXPECT_EQ(story.memory.generation, number + 1);
}

TEST(AStoppedPrinter, IsSentTheStopAgainAtEachRequest) {
  Story story = Story::tripped_by(Cause::button);
  const int before = story.stops_sent;
  story.trip(Cause::person);
  story.trip(Cause::person);
  story.trip(Cause::person);
  EXPECT_EQ(story.stops_sent, before + 3);
  EXPECT_EQ(story.state(), "tripped");
}

TEST(AStoppedPrinter, IsCutAgainAtAnySignOfHeat) {
  Story story = Story::tripped_by(Cause::button);
  story.facts.sign_of_heat = true;
  story.step();
  EXPECT_EQ(story.state(), "cutting");
  EXPECT_TRUE(has(story.memory.causes, Cause::revived));
}

TEST(AStoppedPrinter, IsCutAgainWhenItsContactClosesByItself) {
  Story story = Story::tripped_by(Cause::button);
  story.contact_follows = false;
  story.facts.feedback = Feedback::closed;
  story.step();
  EXPECT_EQ(story.state(), "cutting");
  EXPECT_TRUE(has(story.memory.causes, Cause::relay_fault));
  story.after(210ms);
  EXPECT_EQ(story.state(), "not_cut");
}

TEST(AStoppedPrinter, WhoseRelayIsClosedIsCutWhenThePulsesLapse) {
  Story story = Story::armed();
  story.trip(Cause::person);
  story.facts.cooled = true;
  story.after(100ms);
  ASSERT_TRUE(story.memory.relay_closed);
  story.facts.cooled = false;
  story.facts.pulses_lapsed = true;
  story.step();
  EXPECT_EQ(story.state(), "cutting");
  EXPECT_FALSE(story.memory.relay_closed);
}

TEST(AStoppedPrinter, IsLeftAloneByALapseWhenItsRelayIsOpenAnyway) {
  Story story = Story::tripped_by(Cause::button);
  story.facts.pulses_lapsed = true;
  story.step();
  EXPECT_EQ(story.state(), "tripped");
}

TEST(AnUnprovenStop, IsProvenLateByAnIndependentSource) {
  Story story = Story::armed();
  story.facts.has_relay = false;
  story.facts.covered = false;
  story.facts.feedback = Feedback::none;
  story.trip(Cause::frozen);
  story.after(1ms);
  ASSERT_EQ(story.outcome(), "sent");
  story.facts.cooled_elsewhere = true;
  story.after(10s);
  EXPECT_EQ(story.outcome(), "proven");
  EXPECT_FALSE(alarm(story.memory));
}

TEST(AnUnprovenStop, RepeatsItsBytesUntilProven) {
  Story story = Story::armed();
  story.facts.has_relay = false;
  story.facts.covered = false;
  story.facts.feedback = Feedback::none;
  story.trip(Cause::frozen);
  story.pass(10s);
  const int before = story.stops_sent;
  story.pass(5s);
  EXPECT_EQ(story.stops_sent, before + 5);
  story.facts.cooled_elsewhere = true;
  story.after(50ms);
  const int proven = story.stops_sent;
  story.pass(5s);
  EXPECT_EQ(story.stops_sent, proven);
}

TEST(AReset, LeadsToProbationWithTheRelayStillOpen) {
  Story story = Story::tripped_by(Cause::button);
  story.reset();
  EXPECT_EQ(story.state(), "probation");
  EXPECT_FALSE(story.memory.relay_closed);
  EXPECT_EQ(story.revivals, 1);
  EXPECT_EQ(story.memory.causes, 0u);
  EXPECT_EQ(story.stops_sent, 1) << "never M112 again";
}

TEST(AReset, OpensARelayThatASoftwareStopHadLeftClosed) {
  Story story = Story::armed();
  story.trip(Cause::person);
  story.facts.cooled = true;
  story.after(100ms);
  ASSERT_TRUE(story.memory.relay_closed);
  story.reset();
  EXPECT_FALSE(story.memory.relay_closed);
}

TEST(AReset, IsRefusedWhileTheHostIsLatched) {
  Story story = Story::tripped_by(Cause::button);
  story.facts.host_latched = true;
  story.reset();
  EXPECT_EQ(story.state(), "tripped");
}

TEST(Probation, ClosesTheRelayOnlyAfterTenSecondsOpen) {
  Story story = Story::tripped_by(Cause::button);
  story.reset();
  story.pass(9s);
  EXPECT_FALSE(story.memory.relay_closed);
  story.pass(2s);
  EXPECT_TRUE(story.memory.relay_closed);
  EXPECT_EQ(name(story.memory.phase), "watching");
}

TEST(Probation, ClosesTheRelayOnlyWhenNoMemberOfItsGroupIsLatched) {
  Story story = Story::tripped_by(Cause::button);
  story.facts.group_ready = false;
  story.reset();
  story.pass(20s);
  EXPECT_FALSE(story.memory.relay_closed);
  story.facts.group_ready = true;
  story.after(50ms);
  EXPECT_TRUE(story.memory.relay_closed);
}

TEST(Probation, ClosesTheRelayOnlyAfterTheRevival) {
  Story story = Story::tripped_by(Cause::button);
  story.facts.revived = false;
  story.reset();
  story.pass(20s);
  EXPECT_FALSE(story.memory.relay_closed);
}

TEST(Probation, ClosesARelayAtMostSixTimesAnHour) {
  Story story = Story::armed();
  for (int i = 0; i < 6; ++i) {
    story.trip(Cause::button);
    story.after(20ms);
    story.reset();
    story.pass(11s);
    ASSERT_TRUE(story.memory.relay_closed) << i;
  }
  story.trip(Cause::button);
  story.after(20ms);
  story.reset();
  story.pass(60s);
  EXPECT_FALSE(story.memory.relay_closed);
  // What a person is told is when it really closes.
  const std::chrono::nanoseconds left{relay_rests_until_ns(story.memory) - story.facts.now_ns};
  EXPECT_GT(left, 55min);
  story.after(std::chrono::floor<std::chrono::milliseconds>(left) - 1ms);
  EXPECT_FALSE(story.memory.relay_closed);
  story.after(2ms);
  EXPECT_TRUE(story.memory.relay_closed);
}

TEST(Probation, SendsHeatersOffAndNeverTheStop) {
  Story story = Story::on_probation();
  const int stops = story.stops_sent;
  story.facts.first_report = true;
  story.pass(10s);
  EXPECT_GE(story.heaters_off_sent, 2);
  EXPECT_EQ(story.stops_sent, stops);
}

TEST(Probation, EndsWhenTheFirstReportIsLaterThanBootTimeAndFifteenSeconds) {
  Story story = Story::on_probation();
  story.pass(19s);
  EXPECT_EQ(story.state(), "probation");
  story.pass(1100ms);
  EXPECT_TRUE(story.is_cut());
  EXPECT_TRUE(has(story.memory.causes, Cause::blind));
}

TEST(Probation, IsCleanAfterSixtySecondsAndThenWaitsForAPerson) {
  Story story = Story::on_probation();
  story.facts.first_report = true;
  story.pass(59s);
  EXPECT_EQ(name(story.memory.phase), "settling");
  story.pass(2s);
  EXPECT_EQ(name(story.memory.phase), "clean");
  story.pass(10min);
  EXPECT_EQ(story.state(), "probation");
}

TEST(Probation, IsNotEndedByAReleaseBeforeItIsClean) {
  Story story = Story::on_probation();
  story.facts.first_report = true;
  story.pass(30s);
  story.release();
  EXPECT_EQ(story.state(), "probation");
}

TEST(Probation, IsEndedByAPersonsReleaseWhenCleanAndCold) {
  Story story = Story::on_probation();
  story.facts.first_report = true;
  story.pass(61s);
  story.release();
  EXPECT_EQ(story.state(), "armed");
  EXPECT_TRUE(story.memory.relay_closed);
  EXPECT_EQ(story.memory.phase, Phase::none);
}

TEST(Probation, IsNotReleasedWhileHot) {
  Story story = Story::on_probation();
  story.facts.first_report = true;
  story.pass(61s);
  story.facts.hot = true;
  story.release();
  EXPECT_EQ(story.state(), "probation");
}

TEST(Probation, EndsAtAnyCause) {
  for (const auto& row : cause_table) {
    Story story = Story::on_probation();
    story.trip(row.cause);
    EXPECT_EQ(story.state(), "cutting") << row.name;
  }
}

TEST(Probation, EndsAtHeatATargetOrDuty) {
  Story story = Story::on_probation();
  story.facts.sign_of_heat = true;
  story.step();
  EXPECT_EQ(story.state(), "cutting");
  EXPECT_TRUE(has(story.memory.causes, Cause::revived));
}

TEST(Probation, EndsWhenThePulsesLapse) {
  Story story = Story::on_probation();
  story.facts.pulses_lapsed = true;
  story.step();
  EXPECT_EQ(story.state(), "cutting");
  EXPECT_TRUE(has(story.memory.causes, Cause::guard_lapsed));
}

TEST(Probation, EndsWhenItsRelayOpensByItself) {
  Story story = Story::on_probation();
  story.contact_follows = false;
  story.facts.relay_found_open = true;
  story.step();
  EXPECT_EQ(story.state(), "cutting");
  EXPECT_TRUE(has(story.memory.causes, Cause::relay_fault));
}

TEST(Probation, EndsWhenTheServiceStopsWhileHot) {
  Story story = Story::on_probation();
  story.facts.service_stopping = true;
  story.facts.hot = true;
  story.step();
  EXPECT_EQ(story.state(), "cutting");
  EXPECT_TRUE(has(story.memory.causes, Cause::service_stop));
}

TEST(WatchMode, BeginsWhenAPersonAsksAndEndsAfter24HoursWithNoNewHeat) {
  Story story = Story::armed();
  story.facts.watch = true;
  story.step();
  EXPECT_EQ(story.state(), "watch");
  story.after(23h);
  EXPECT_EQ(story.state(), "watch");
  story.after(61min);
  EXPECT_EQ(story.state(), "armed");
  EXPECT_EQ(story.memory.no_new_heat, no_new_heat::watch_ended);
  story.facts.arm = true;
  story.step();
  EXPECT_EQ(story.memory.no_new_heat, 0u);
}

TEST(WatchMode, LastsSevenDaysAtMost) {
  Story story = Story::armed();
  story.facts.watch = true;
  story.facts.watch_ns = std::chrono::nanoseconds{30 * 24h}.count();
  story.step();
  story.after(7 * 24h + 1s);
  EXPECT_EQ(story.state(), "armed");
}

TEST(WatchMode, StopsAtEveryCauseAsArmedDoes) {
  for (const auto& row : cause_table) {
    Story story = Story::armed();
    story.facts.watch = true;
    story.step();
    story.trip(row.cause);
    EXPECT_EQ(story.state(), row.kind == TripKind::software ? "stopping" : "cutting") << row.name;
  }
}

TEST(AParkedPrinter, IsStoppedAgainAtEachRequestAndStaysParked) {
  Story story = Story::armed();
  story.restart(Start::too_often);
  ASSERT_EQ(story.state(), "parked");
  const int before = story.stops_sent;
  story.trip(Cause::button);
  EXPECT_EQ(story.state(), "parked");
  EXPECT_EQ(story.stops_sent, before + 1);
  EXPECT_TRUE(has(story.memory.causes, Cause::button));
}

TEST(AParkedPrinter, RepeatsItsStop) {
  Story story = Story::armed();
  story.restart(Start::too_often);
  const int before = story.stops_sent;
  story.pass(1s);
  EXPECT_EQ(story.stops_sent, before + 4);
}

TEST(AParkedPrinter, IsTrippedWhenAPersonEndsParking) {
  Story story = Story::armed();
  story.restart(Start::too_often);
  story.facts.unpark = true;
  story.step();
  EXPECT_EQ(story.state(), "tripped");
  EXPECT_NE(story.memory.causes, 0u);
}

}  // namespace
}  // namespace firebreak::guard::machine
