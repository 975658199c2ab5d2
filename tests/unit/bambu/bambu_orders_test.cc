#include "agent/uplink/printers/bambu_orders.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "agent/uplink/printers/bambu_client.h"

namespace firebreak::uplink {
namespace {

using nlohmann::json;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr MonotonicTime start{seconds{1000}};

BambuState printing_state() {
  BambuState state;
  state.gcode_state = "RUNNING";
  state.hotend.target_celsius = 220;
  state.bed.target_celsius = 60;
  return state;
}

BambuState resting_state() {
  BambuState state = printing_state();
  state.gcode_state = "FAILED";
  state.hotend.target_celsius = 0;
  state.bed.target_celsius = 0;
  return state;
}

class BambuOrdersTest : public testing::Test {
 protected:
  void open(BambuOrder order, const BambuState& state, MonotonicTime now = start) {
    PrinterClient::Done done = [](const Result<bool>&) {};
    ASSERT_TRUE(orders.open(order, state, now, done));
  }
  static std::vector<bool> results(const std::vector<BambuOrders::Finished>& finished) {
    std::vector<bool> all;
    for (const auto& order : finished) all.push_back(order.result.value());
    return all;
  }

  BambuOrders orders;
};

TEST_F(BambuOrdersTest, AStopIsConfirmedOnlyByALaterReportOfRest) {
  open(BambuOrder::stop, printing_state());
  BambuReport word;
  word.accepted = true;
  EXPECT_TRUE(orders.on_answer(word).empty()) << "success is only a word";
  BambuState half = resting_state();
  half.hotend.target_celsius = 220;
  EXPECT_TRUE(orders.on_status(half).empty()) << "the hotend is still heated";
  EXPECT_EQ(results(orders.on_status(resting_state())), std::vector<bool>{true});
  EXPECT_TRUE(orders.on_status(resting_state()).empty()) << "each is told once";
}

TEST_F(BambuOrdersTest, ARestingPrinterConfirmsAStopOnlyByAReportThatCameAfterIt) {
  open(BambuOrder::stop, resting_state());
  EXPECT_EQ(results(orders.expire(resting_state(), start + seconds{3})), std::vector<bool>{false});
  EXPECT_FALSE(orders.control_refused()) << "no report came: nothing is known";
  open(BambuOrder::stop, resting_state());
  EXPECT_EQ(results(orders.on_status(resting_state())), std::vector<bool>{true});
}

TEST_F(BambuOrdersTest, AStopThatIsIgnoredIsNotConfirmedAndShowsThatControlIsRefused) {
  open(BambuOrder::stop, printing_state());
  EXPECT_TRUE(orders.on_status(printing_state()).empty());
  EXPECT_TRUE(orders.expire(printing_state(), start + seconds{2}).empty());
  EXPECT_EQ(results(orders.expire(printing_state(), start + seconds{3})), std::vector<bool>{false});
  EXPECT_TRUE(orders.control_refused());
}

TEST_F(BambuOrdersTest, ASlowStopIsNotConfirmedButIsNoRefusal) {
  open(BambuOrder::stop, printing_state());
  BambuState half = printing_state();
  half.gcode_state = "FAILED";
  EXPECT_TRUE(orders.on_status(half).empty());
  EXPECT_EQ(results(orders.expire(half, start + seconds{3})), std::vector<bool>{false});
  EXPECT_FALSE(orders.control_refused());
}

TEST_F(BambuOrdersTest, ARefusalEndsAllOrdersUntilOneHasAnEffect) {
  open(BambuOrder::stop, printing_state());
  open(BambuOrder::heaters_off, printing_state());
  BambuReport refusal;
  refusal.error_code = 84033543;
  EXPECT_EQ(results(orders.on_answer(refusal)), (std::vector<bool>{false, false}));
  EXPECT_TRUE(orders.control_refused());
  open(BambuOrder::stop, resting_state());
  EXPECT_EQ(results(orders.on_status(resting_state())), std::vector<bool>{true});
  EXPECT_TRUE(orders.control_refused()) << "it rested before: that is no obedience";
  open(BambuOrder::stop, printing_state());
  EXPECT_EQ(results(orders.on_status(resting_state())), std::vector<bool>{true});
  EXPECT_FALSE(orders.control_refused());
}

TEST_F(BambuOrdersTest, AnotherErrorIsNoRefusalOfControl) {
  open(BambuOrder::pause, printing_state());
  BambuReport busy;
  busy.error_code = 0x05004004;
  EXPECT_TRUE(orders.on_answer(busy).empty());
  EXPECT_FALSE(orders.control_refused());
}

TEST_F(BambuOrdersTest, PauseCancelAndHeatersOffHaveTheirOwnProof) {
  BambuState paused = printing_state();
  paused.gcode_state = "PAUSE";
  BambuState cancelled = printing_state();
  cancelled.gcode_state = "FAILED";
  open(BambuOrder::cancel, printing_state());
  open(BambuOrder::pause, printing_state());
  open(BambuOrder::heaters_off, printing_state());
  EXPECT_EQ(orders.on_status(paused).size(), 1U);
  EXPECT_EQ(orders.on_status(cancelled).size(), 1U);
  EXPECT_EQ(orders.on_status(resting_state()).size(), 1U);
}

TEST_F(BambuOrdersTest, TooManyOpenOrdersAreRefused) {
  for (std::size_t i = 0; i < BambuOrders::open_max; ++i) open(BambuOrder::stop, printing_state());
  PrinterClient::Done done = [](const Result<bool>&) {};
  EXPECT_FALSE(orders.open(BambuOrder::stop, printing_state(), start, done));
  EXPECT_TRUE(done) << "the caller still has to answer it";
}

TEST_F(BambuOrdersTest, ALostConnectionEndsThemAsErrors) {
  open(BambuOrder::stop, printing_state());
  const auto lost = orders.abandon({ErrorCode::unavailable, "gone"});
  ASSERT_EQ(lost.size(), 1U);
  EXPECT_FALSE(lost.front().result);
}

TEST_F(BambuOrdersTest, AStopEndsTheJobAndTurnsEveryHeaterOff) {
  const auto plain = messages_of(BambuOrder::stop, printing_state(), 41);
  ASSERT_EQ(plain.size(), 2U);
  EXPECT_EQ(json::parse(plain[0]),
            json::parse(R"({"print":{"command":"stop","param":"","sequence_id":"41"}})"));
  EXPECT_EQ(json::parse(plain[1]),
            json::parse(R"({"print":{"command":"gcode_line","param":"M104 S0\nM140 S0\n",
                            "sequence_id":"42"}})"));
  BambuState big = printing_state();
  big.two_nozzles = true;
  big.chamber.target_celsius = 45;
  EXPECT_EQ(json::parse(messages_of(BambuOrder::heaters_off, big, 1).at(0))["print"]["param"],
            "M104 S0\nM140 S0\nM104 T0 S0\nM104 T1 S0\nM141 S0\n");
}

TEST(BambuQuestionRhythmTest, AsksAtOnceAndThenEachFiveMinutes) {
  BambuQuestionRhythm rhythm;
  EXPECT_TRUE(rhythm.due(start, false, false, {}));
  int asked = 0;
  for (seconds at{1}; at <= minutes{20}; ++at) {
    if (rhythm.due(start + at, false, false, start + at)) ++asked;
  }
  EXPECT_EQ(asked, 4);
  rhythm.connected();
  EXPECT_TRUE(rhythm.due(start + minutes{20}, false, false, {}));
}

TEST(BambuQuestionRhythmTest, AsksOnceInASilenceWhilePrintingAndNotWhenIdle) {
  BambuQuestionRhythm rhythm;
  EXPECT_TRUE(rhythm.due(start, true, false, {}));
  const MonotonicTime heard = start + seconds{120};
  EXPECT_FALSE(rhythm.due(heard + seconds{10}, false, false, heard));
  EXPECT_FALSE(rhythm.due(heard + seconds{9}, true, false, heard));
  EXPECT_TRUE(rhythm.due(heard + seconds{10}, true, false, heard));
  EXPECT_FALSE(rhythm.due(heard + seconds{100}, true, false, heard)) << "the same silence";
  EXPECT_TRUE(rhythm.due(heard + seconds{130}, true, false, heard + seconds{110}));
}

TEST(BambuQuestionRhythmTest, RepeatedStopsDoNotAskMoreThanOnceAMinute) {
  BambuQuestionRhythm rhythm;
  EXPECT_TRUE(rhythm.due(start, true, false, {}));
  int asked = 0;
  for (int i = 1; i <= 4 * 120; ++i) {
    if (rhythm.due(start + std::chrono::milliseconds{250 * i}, true, true, start)) ++asked;
  }
  EXPECT_EQ(asked, 2);
}

}  // namespace
}  // namespace firebreak::uplink
