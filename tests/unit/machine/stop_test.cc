#include "tests/unit/machine/story.h"

namespace firebreak::guard::machine {
namespace {

using namespace std::chrono_literals;

TEST(AnArmedPrinter, IsCutByTheButtonInOneStep) {
  Story story = Story::armed();
  story.trip(Cause::button);
  EXPECT_EQ(story.state(), "cutting");
  EXPECT_FALSE(story.memory.relay_closed);
  EXPECT_EQ(story.stops_sent, 1);
  EXPECT_TRUE(has(story.memory.causes, Cause::button));
  EXPECT_EQ(story.memory.generation, 8u);
}

TEST(AnArmedPrinter, IsCutByEveryHardwareVerdict) {
  for (const auto& row : cause_table) {
    if (row.kind != TripKind::hardware) continue;
    Story story = Story::armed();
    story.trip(row.cause);
    EXPECT_EQ(story.state(), "cutting") << row.name;
    EXPECT_FALSE(story.memory.relay_closed) << row.name;
  }
}

TEST(AnArmedPrinter, IsCutWhenThePulsesLapsed) {
  Story story = Story::armed();
  story.facts.pulses_lapsed = true;
  story.step();
  EXPECT_EQ(story.state(), "cutting");
  EXPECT_TRUE(has(story.memory.causes, Cause::guard_lapsed));
}

TEST(AnArmedPrinter, IsCutWhenItsRelayOpensByItself) {
  Story story = Story::armed();
  story.contact_follows = false;
  story.facts.relay_found_open = true;
  story.step();
  EXPECT_EQ(story.state(), "cutting");
  EXPECT_TRUE(has(story.memory.causes, Cause::relay_fault));
}

TEST(AnArmedPrinter, IsCutWhenTheServiceStopsWhileItIsHot) {
  Story story = Story::armed();
  story.facts.service_stopping = true;
  story.facts.hot = true;
  story.step();
  EXPECT_EQ(story.state(), "cutting");
  EXPECT_TRUE(has(story.memory.causes, Cause::service_stop));
}

TEST(AnArmedPrinter, IsLeftAloneWhenTheServiceStopsWhileItIsCold) {
  Story story = Story::armed();
  story.facts.service_stopping = true;
  story.step();
  EXPECT_EQ(story.state(), "armed");
}

TEST(AnArmedPrinter, IsAskedToStopFirstWhenAPersonAsks) {
  Story story = Story::armed();
  story.trip(Cause::person);
  EXPECT_EQ(story.state(), "stopping");
  EXPECT_TRUE(story.memory.relay_closed);
  EXPECT_EQ(story.stops_sent, 1);
  EXPECT_EQ(story.outcome(), "sent");
}

TEST(ASoftwareStop, IsCutWhenTheFirmwareDoesNotAcknowledgeIn1500Milliseconds) {
  Story story = Story::armed();
  story.trip(Cause::person);
  story.pass(1400ms);
  EXPECT_EQ(story.state(), "stopping");
  story.pass(150ms);
  EXPECT_TRUE(story.is_cut());
  EXPECT_FALSE(story.memory.relay_closed);
}

TEST(ASoftwareStop, GoesOnPastTheTimerWhenTheFirmwareAcknowledges) {
  Story story = Story::armed();
  story.trip(Cause::person);
  story.facts.acknowledged = true;
  story.pass(3s);
  EXPECT_EQ(story.state(), "stopping");
  EXPECT_TRUE(story.memory.acknowledged);
}

TEST(ASoftwareStop, KeepsItsAcknowledgementWhenTheFactIsSeenOnce) {
  Story story = Story::armed();
  story.trip(Cause::person);
  story.facts.acknowledged = true;
  story.step();
  story.facts.acknowledged = false;
  story.pass(3s);
  EXPECT_EQ(story.state(), "stopping");
}

TEST(ASoftwareStop, IsCutWhenTheFirmwareFallsSilentAfterTheAcknowledgement) {
  Story story = Story::armed();
  story.trip(Cause::person);
  story.facts.acknowledged = true;
  story.after(100ms);
  story.facts.silent = true;
  story.after(100ms);
  EXPECT_EQ(story.state(), "cutting");
}

TEST(ASoftwareStop, IsCutAtOnceWhenNobodyIsThereToAskThePrinter) {
  Story story = Story::armed();
  story.facts.unreachable = true;
  story.trip(Cause::person);
  story.step();
  EXPECT_EQ(story.state(), "cutting");
}

TEST(ASoftwareStop, IsCutWhenCoolingIsNotProvenInItsWindow) {
  Story story = Story::armed();
  story.trip(Cause::coordinator);
  story.facts.acknowledged = true;
  story.pass(24s);
  EXPECT_EQ(story.state(), "stopping");
  story.pass(1100ms);
  EXPECT_TRUE(story.is_cut());
}

TEST(ASoftwareStop, IsCutAtTheFirstTimerWhenItsWindowCouldProveNothing) {
  Story story = Story::armed();
  story.facts.window_ns = std::chrono::nanoseconds{61s}.count();
  story.trip(Cause::person);
  story.facts.acknowledged = true;
  story.pass(1600ms);
  EXPECT_TRUE(story.is_cut());
}

TEST(ASoftwareStop, IsProvenByCooling) {
  Story story = Story::armed();
  story.trip(Cause::person);
  story.facts.acknowledged = true;
  story.facts.cooled = true;
  story.after(5s);
  EXPECT_EQ(story.state(), "tripped");
  EXPECT_EQ(story.outcome(), "proven");
  EXPECT_TRUE(story.memory.relay_closed) << "the heatbreak's fan keeps its power";
}

TEST(ASoftwareStop, IsCutWhenTheTemperatureRises) {
  Story story = Story::armed();
  story.trip(Cause::person);
  story.facts.acknowledged = true;
  story.after(100ms);
  story.facts.risen = true;
  story.after(100ms);
  EXPECT_EQ(story.state(), "cutting");
}

TEST(ASoftwareStop, IsCutWhenATargetStaysAfterTheAcknowledgement) {
  Story story = Story::armed();
  story.trip(Cause::person);
  story.facts.target_positive = true;
  story.after(100ms);
  EXPECT_EQ(story.state(), "stopping") << "a report that was on its way proves nothing";
  story.facts.acknowledged = true;
  story.after(100ms);
  story.after(100ms);
  EXPECT_TRUE(story.is_cut());
}

TEST(ASoftwareStop, IsCutByTheButton) {
  Story story = Story::armed();
  story.trip(Cause::person);
  story.trip(Cause::button);
  EXPECT_EQ(story.state(), "cutting");
  EXPECT_TRUE(has(story.memory.causes, Cause::person));
  EXPECT_TRUE(has(story.memory.causes, Cause::button));
}

TEST(ASoftwareStop, IsCutWhenThePulsesLapse) {
  Story story = Story::armed();
  story.trip(Cause::person);
  story.facts.pulses_lapsed = true;
  story.step();
  EXPECT_EQ(story.state(), "cutting");
}

TEST(ASoftwareStop, IsCutWhenTheServiceStops) {
  Story story = Story::armed();
  story.trip(Cause::person);
  story.facts.service_stopping = true;
  story.facts.hot = true;
  story.step();
  EXPECT_EQ(story.state(), "cutting");
  EXPECT_TRUE(has(story.memory.causes, Cause::service_stop));
}

TEST(ASoftwareStop, SendsAgainAtEachRequestAndRenewsNoDeadline) {
  Story story = Story::armed();
  story.trip(Cause::person);
  const auto acknowledge_due_ns = story.memory.acknowledge_due_ns;
  const auto window_due_ns = story.memory.window_due_ns;
  story.facts.now_ns += 1'000'000;
  story.trip(Cause::person);
  EXPECT_EQ(story.stops_sent, 2);
  EXPECT_EQ(story.memory.acknowledge_due_ns, acknowledge_due_ns);
  EXPECT_EQ(story.memory.window_due_ns, window_due_ns);
  story.facts.now_ns = acknowledge_due_ns;
  story.step();
  EXPECT_EQ(story.state(), "cutting");
}

TEST(ASoftwareStop, RepeatsItsBytesEvery250Milliseconds) {
  Story story = Story::armed();
  story.trip(Cause::person);
  story.facts.acknowledged = true;
  story.pass(2500ms);
  EXPECT_EQ(story.stops_sent, 11);
}

TEST(StopBytes, RepeatEachSecondAfterTwentyFastOnes) {
  Story story = Story::armed();
  story.trip(Cause::person);
  story.facts.acknowledged = true;
  story.pass(5s);
  const int fast = story.stops_sent;
  EXPECT_EQ(fast, 21);
  story.pass(3s);
  EXPECT_EQ(story.stops_sent, fast + 3);
}

TEST(Cutting, IsProvenByAnOpenContact) {
  Story story = Story::armed();
  story.trip(Cause::over_limit);
  story.after(20ms);
  EXPECT_EQ(story.state(), "tripped");
  EXPECT_EQ(story.outcome(), "proven");
}

TEST(Cutting, IsNotProvenByTheSensorThatTheVerdictDoubts) {
  Story story = Story::armed();
  story.facts.feedback = Feedback::none;
  story.contact_follows = false;
  story.facts.cooled = true;
  story.trip(Cause::sensor_out);
  story.after(20ms);
  story.after(20ms);
  EXPECT_EQ(story.state(), "tripped");
  EXPECT_EQ(story.outcome(), "sent");
  EXPECT_TRUE(alarm(story.memory));
}

TEST(Cutting, IsNotCutWhenTheContactStaysLiveFor200Milliseconds) {
  Story story = Story::armed();
  story.contact_follows = false;
  story.trip(Cause::button);
  story.after(150ms);
  EXPECT_EQ(story.state(), "cutting");
  story.after(60ms);
  EXPECT_EQ(story.state(), "not_cut");
  EXPECT_TRUE(has(story.memory.causes, Cause::relay_fault));
  EXPECT_TRUE(alarm(story.memory));
}

TEST(Cutting, SendsAndCutsAgainAtANewCauseWithoutRenewingItsDeadline) {
  Story story = Story::armed();
  story.contact_follows = false;
  story.trip(Cause::button);
  const auto due_ns = story.memory.feedback_due_ns;
  story.facts.now_ns += 100'000'000;
  story.trip(Cause::person);
  EXPECT_EQ(story.stops_sent, 2);
  EXPECT_EQ(story.memory.feedback_due_ns, due_ns);
  EXPECT_TRUE(has(story.memory.causes, Cause::person));
}

TEST(Cutting, RepeatsItsBytes) {
  Story story = Story::armed();
  story.contact_follows = false;
  story.facts.feedback_limit_ns = std::chrono::nanoseconds{2s}.count();
  story.trip(Cause::button);
  story.pass(1s);
  EXPECT_EQ(story.stops_sent, 5);
}

TEST(APrinterWithoutARelay, EndsUnprovenWithTheAlarmOn) {
  Story story = Story::armed();
  story.facts.has_relay = false;
  story.facts.covered = false;
  story.facts.feedback = Feedback::none;
  story.trip(Cause::stuck_on);
  story.after(1ms);
  EXPECT_EQ(story.state(), "tripped");
  EXPECT_EQ(story.outcome(), "sent");
  EXPECT_TRUE(alarm(story.memory));
  EXPECT_EQ(story.dtr_pulses, 0);
}

TEST(APrinterWithoutARelay, IsResetOverDtrOnceWhereTheProfileAllowsIt) {
  Story story = Story::armed();
  story.facts.has_relay = false;
  story.facts.covered = false;
  story.facts.feedback = Feedback::none;
  story.facts.dtr_rung = true;
  story.trip(Cause::stuck_on);
  story.after(1ms);
  EXPECT_EQ(story.state(), "tripped");
  EXPECT_EQ(story.dtr_pulses, 1);
  EXPECT_EQ(story.outcome(), "sent");
  story.trip(Cause::button);
  story.after(1ms);
  EXPECT_EQ(story.dtr_pulses, 1) << "once a latch";
}

TEST(ARelayThatDoesNotCoverAHeater, ProvesNothing) {
  Story story = Story::armed();
  story.facts.covered = false;
  story.trip(Cause::button);
  story.after(250ms);
  EXPECT_EQ(story.state(), "tripped");
  EXPECT_EQ(story.outcome(), "sent");
}

TEST(ARelayThatIsNotCut, IsCutAgainEachSecond) {
  Story story = Story::armed();
  story.contact_follows = false;
  story.trip(Cause::button);
  story.after(210ms);
  ASSERT_EQ(story.state(), "not_cut");
  const int before = story.stops_sent;
  story.pass(3s);
  EXPECT_EQ(story.stops_sent, before + 3);
}

TEST(ARelayThatIsNotCut, TakesNewCausesAndSendsAgain) {
  Story story = Story::armed();
  story.contact_follows = false;
  story.trip(Cause::button);
  story.after(210ms);
  const int before = story.stops_sent;
  story.trip(Cause::smoke);
  EXPECT_EQ(story.state(), "not_cut");
  EXPECT_EQ(story.stops_sent, before + 1);
  EXPECT_TRUE(has(story.memory.causes, Cause::smoke));
}

TEST(ARelayThatIsNotCut, IsProvenWhenItsContactOpensAfterAll) {
  Story story = Story::armed();
  story.contact_follows = false;
  story.trip(Cause::button);
  story.after(210ms);
  story.facts.feedback = Feedback::open;
  story.after(50ms);
  EXPECT_EQ(story.state(), "tripped");
  EXPECT_EQ(story.outcome(), "proven");
  EXPECT_TRUE(has(story.memory.causes, Cause::relay_fault))
      << "only a person at the machine resets";
}

TEST(ARelayThatIsNotCut, IsNeverReset) {
  Story story = Story::armed();
  story.contact_follows = false;
  story.trip(Cause::button);
  story.after(210ms);
  story.reset();
  EXPECT_EQ(story.state(), "not_cut");
}

}  // namespace
}  // namespace firebreak::guard::machine
