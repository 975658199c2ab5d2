#include "tests/unit/machine/story.h"

namespace firebreak::guard::machine {
namespace {

using namespace std::chrono_literals;

TEST(AShortRestart, GoesOnArmedWithTheRelayClosed) {
  Story story = Story::armed();
  story.restart(Start::resumed);
  EXPECT_EQ(story.state(), "armed");
  EXPECT_TRUE(story.memory.relay_closed);
  EXPECT_EQ(story.stops_sent, 0);
}

TEST(AShortRestart, GoesOnInWatchModeWithItsOldDeadline) {
  Story story = Story::armed();
  story.facts.watch = true;
  story.step();
  const auto until_ns = story.memory.watch_until_ns;
  story.facts.now_ns += 1'000'000'000;
  story.restart(Start::resumed);
  EXPECT_EQ(story.state(), "watch");
  EXPECT_EQ(story.memory.watch_until_ns, until_ns);
}

TEST(AShortRestart, CutsAStopThatItInterrupted) {
  Story story = Story::armed();
  story.trip(Cause::person);
  story.restart(Start::resumed);
  EXPECT_EQ(story.state(), "cutting");
  EXPECT_FALSE(story.memory.relay_closed);
  EXPECT_EQ(story.stops_sent, 2);
  EXPECT_TRUE(has(story.memory.causes, Cause::person));
}

TEST(AShortRestart, CutsAgainWhatItWasCutting) {
  Story story = Story::armed();
  story.contact_follows = false;
  story.trip(Cause::button);
  story.restart(Start::resumed);
  EXPECT_EQ(story.state(), "cutting");
  EXPECT_EQ(story.stops_sent, 2);
}

TEST(AShortRestart, KeepsARelayThatIsNotCut) {
  Story story = Story::armed();
  story.contact_follows = false;
  story.trip(Cause::button);
  story.after(210ms);
  story.restart(Start::resumed);
  EXPECT_EQ(story.state(), "not_cut");
  EXPECT_EQ(story.outcome(), "sent");
}

TEST(AShortRestart, KeepsALatchWithItsCausesAndNumberAndProvesItAnew) {
  Story story = Story::tripped_by(Cause::button);
  const auto number = story.memory.generation;
  story.facts.feedback = Feedback::none;
  story.restart(Start::resumed);
  EXPECT_EQ(story.state(), "tripped");
  EXPECT_EQ(story.outcome(), "sent");
  EXPECT_EQ(story.memory.generation, number);
  EXPECT_TRUE(has(story.memory.causes, Cause::button));
}

TEST(AShortRestart, DoesNotKeepProbation) {
  Story story = Story::on_probation();
  story.restart(Start::resumed);
  EXPECT_EQ(story.state(), "tripped");
  EXPECT_FALSE(story.memory.relay_closed);
}

TEST(AShortRestart, ComesUpTrippedWhenTheRelayOpenedMeanwhile) {
  Story story = Story::armed();
  story.facts.feedback = Feedback::open;
  story.contact_follows = false;
  story.restart(Start::resumed);
  EXPECT_EQ(story.state(), "tripped");
  EXPECT_TRUE(has(story.memory.causes, Cause::guard_lapsed));
}

TEST(AShortRestart, CutsWhenAnInputIsBad) {
  Story story = Story::armed();
  begin_start(story.memory);
  story.facts.start = Start::resumed;
  story.trip(Cause::button);
  EXPECT_EQ(story.state(), "cutting");
}

TEST(AShortRestart, CutsAtOnceWhenAStopWasAskedMeanwhile) {
  Story story = Story::armed();
  begin_start(story.memory);
  story.facts.start = Start::resumed;
  story.trip(Cause::person);
  EXPECT_EQ(story.state(), "cutting");
}

TEST(AShortRestart, KeepsAParkedPrinterParked) {
  Story story = Story::armed();
  story.restart(Start::too_often);
  story.restart(Start::resumed);
  EXPECT_EQ(story.state(), "parked");
}

TEST(ALateRestart, ComesUpTripped) {
  Story story = Story::armed();
  story.restart(Start::lapsed);
  EXPECT_EQ(story.state(), "tripped");
  EXPECT_TRUE(has(story.memory.causes, Cause::guard_lapsed));
  EXPECT_FALSE(story.memory.relay_closed);
  EXPECT_EQ(story.stops_sent, 1);
}

TEST(ALateRestart, KeepsAParkedPrinterParked) {
  Story story = Story::armed();
  story.restart(Start::too_often);
  story.restart(Start::lapsed);
  EXPECT_EQ(story.state(), "parked");
}

TEST(ANewBoot, IsNotArmed) {
  Story story;
  story.memory.causes = bit(Cause::smoke);
  story.restart(Start::new_boot);
  EXPECT_EQ(story.state(), "tripped");
  EXPECT_TRUE(has(story.memory.causes, Cause::host_restart));
  EXPECT_TRUE(has(story.memory.causes, Cause::smoke)) << "earlier causes stay";
  EXPECT_EQ(story.stops_sent, 1) << "unknown means hot";
}

TEST(ANewBoot, SendsNothingToAPrinterThatWasRecordedColdAndIdle) {
  Story story;
  story.facts.recorded_cold = true;
  story.restart(Start::new_boot);
  EXPECT_EQ(story.state(), "tripped");
  EXPECT_EQ(story.stops_sent, 0);
}

TEST(AnUnreadableLatch, ComesUpTripped) {
  Story story;
  story.restart(Start::bad_slot);
  EXPECT_EQ(story.state(), "tripped");
  EXPECT_TRUE(has(story.memory.causes, Cause::bad_slot));
}

TEST(AThirdRestart, Parks) {
  Story story = Story::armed();
  story.restart(Start::too_often);
  EXPECT_EQ(story.state(), "parked");
  EXPECT_FALSE(story.memory.relay_closed);
  EXPECT_EQ(story.stops_sent, 1);
}

TEST(TheTable, NamesEveryRowOnceAndPrints) {
  const std::string text = print(table());
  std::vector<std::string_view> names;
  for (const auto& row : table()) {
    EXPECT_NE(text.find(row.name), std::string::npos);
    EXPECT_EQ(std::count(names.begin(), names.end(), row.name), 0) << row.name;
    names.push_back(row.name);
  }
}

}  // namespace
}  // namespace firebreak::guard::machine
