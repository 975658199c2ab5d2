// Relays, buttons and what becomes of them when their owner dies.
#include "tests/simulator/board.h"

#include <gtest/gtest.h>

namespace firebreak::sim::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

BoardConfig config() {
  BoardConfig board;
  board.buttons = {{"stop", "btn"}};
  RelayConfig beat;
  beat.name = "beat";
  beat.kind = RelayKind::heartbeat;
  beat.line = "pulse";
  beat.drop_line = "drop";
  beat.feedback_line = "beat_fb";
  RelayConfig plain;
  plain.name = "plain";
  plain.line = "coil";
  plain.feedback_line = "plain_fb";
  board.relays = {beat, plain};
  board.alarm_line = "alarm";
  return board;
}

// A guard that beats 10 times a second until it dies.
class Bench {
 public:
  Bench() : board(config()) {}
  void set(const std::string& line, bool level) { board.set_output(line, level, true, now); }
  void wait(Nanos time) {
    const Nanos end = now + time;
    while (now < end) {
      const auto event = board.next_event();
      now = event && *event < end ? std::max(*event, now + Nanos{1}) : end;
      board.advance(now);
    }
  }
  void beat(Nanos time) {
    for (const Nanos end = now + time; now < end;) {
      set("pulse", !board.level("pulse"));
      wait(milliseconds(100));
    }
  }

  Board board;
  Nanos now = seconds(1000);
};

TEST(Board, AHeartbeatRelayClosesWithPulsesAndOpensAfterItsHoldTime) {
  Bench bench;
  bench.set("drop", true);
  EXPECT_FALSE(bench.board.relay_closed("beat"));
  bench.beat(seconds(1));
  EXPECT_TRUE(bench.board.relay_closed("beat"));
  bench.wait(milliseconds(1390));  // 1.5 s after the last pulse, which was 100 ms ago
  EXPECT_TRUE(bench.board.relay_closed("beat"));
  bench.wait(milliseconds(20));
  EXPECT_FALSE(bench.board.relay_closed("beat"));
}

TEST(Board, AHeartbeatRelayOpensAtOnceWhenTheDropLineFalls) {
  Bench bench;
  bench.set("drop", true);
  bench.beat(seconds(1));
  bench.set("drop", false);
  bench.wait(milliseconds(4));
  EXPECT_FALSE(bench.board.relay_closed("beat"));
  bench.beat(seconds(1));
  EXPECT_FALSE(bench.board.relay_closed("beat"));
}

TEST(Board, ALevelProvesNothing) {
  Bench bench;
  bench.set("drop", true);
  bench.board.set_output("pulse", true, false, bench.now);  // as given at a claim
  bench.wait(seconds(1));
  EXPECT_FALSE(bench.board.relay_closed("beat"));
  bench.beat(seconds(1));
  for (int i = 0; i < 20; ++i) {
    bench.set("pulse", true);
    bench.wait(milliseconds(100));
  }
  EXPECT_FALSE(bench.board.relay_closed("beat"));
}

TEST(Board, APlainRelayKeepsItsLevelWhenNobodyHoldsIt) {
  Bench bench;
  bench.set("coil", true);
  bench.wait(seconds(3600));
  EXPECT_TRUE(bench.board.relay_closed("plain"));
  bench.set("coil", false);
  bench.wait(milliseconds(4));
  EXPECT_FALSE(bench.board.relay_closed("plain"));
}

TEST(Board, FeedbackFollowsTheContactNotTheCoil) {
  Bench bench;
  bench.set("coil", true);
  EXPECT_FALSE(bench.board.level("plain_fb"));
  bench.wait(milliseconds(8));
  EXPECT_TRUE(bench.board.level("plain_fb"));
  bench.board.weld("plain", true, bench.now);
  bench.set("coil", false);
  bench.wait(seconds(10));
  EXPECT_TRUE(bench.board.relay_closed("plain"));
  EXPECT_TRUE(bench.board.level("plain_fb"));
}

TEST(Board, AForcedFeedbackLiesUntilItIsTrueAgain) {
  Bench bench;
  bench.board.force_feedback("plain", true, bench.now);
  EXPECT_TRUE(bench.board.level("plain_fb"));
  EXPECT_FALSE(bench.board.relay_closed("plain"));
  bench.board.force_feedback("plain", std::nullopt, bench.now);
  EXPECT_FALSE(bench.board.level("plain_fb"));
}

TEST(Board, AContactThatSticksOpenNeverCloses) {
  Bench bench;
  bench.board.stick_open("plain", true, bench.now);
  bench.set("coil", true);
  bench.wait(seconds(1));
  EXPECT_FALSE(bench.board.relay_closed("plain"));
}

TEST(Board, AButtonAndACutWireLookTheSame) {
  Bench bench;
  EXPECT_TRUE(bench.board.level("btn"));
  bench.board.press("stop", true, bench.now);
  EXPECT_FALSE(bench.board.level("btn"));
  bench.board.cut_wire("stop", true, bench.now);
  bench.board.press("stop", false, bench.now);
  EXPECT_FALSE(bench.board.level("btn"));
  bench.board.cut_wire("btn", false, bench.now);
  EXPECT_TRUE(bench.board.level("btn"));
  EXPECT_FALSE(bench.board.press("none", true, bench.now));
}

TEST(Board, EveryPressIsAnEdgeAtItsOwnTime) {
  Bench bench;
  bench.board.take_facts();
  for (int i = 0; i < 3; ++i) {
    bench.wait(milliseconds(1));
    bench.board.press("stop", i % 2 == 0, bench.now);
  }
  std::vector<Nanos> edges;
  for (const BoardFact& fact : bench.board.take_facts()) {
    if (fact.kind == BoardFact::Kind::line) edges.push_back(fact.due);
  }
  ASSERT_EQ(edges.size(), 3u);
  EXPECT_EQ(edges[2] - edges[0], milliseconds(2));
}

TEST(Board, TheAlarmFollowsItsLine) {
  Bench bench;
  bench.set("alarm", true);
  EXPECT_TRUE(bench.board.alarm_on());
}

}  // namespace
}  // namespace firebreak::sim::test
