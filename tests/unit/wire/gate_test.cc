// Which commands an agent carries out, and how the hub keeps its stops.

#include <gtest/gtest.h>

#include "agent/uplink/command_gate.h"
#include "coordinator/hub/stop_book.h"

namespace firebreak {
namespace {

using uplink::CommandGate;
using uplink::Nonces;

class GateTest : public ::testing::Test {
 protected:
  wire::Command command(const std::string& id, const wire::Nonce& nonce, std::uint64_t epoch = 5) {
    return {id, epoch, nonce, std::chrono::seconds{10}, "grant", nlohmann::json::object()};
  }
  std::string verdict(const wire::Command& c) {
    const auto judged = gate.judge(c, clock.now());
    return judged ? "" : judged.error().message;
  }

  ManualClock clock;
  Nonces nonces;
  CommandGate gate{nonces, 5};
};

TEST_F(GateTest, a_fresh_command_may_run) {
  EXPECT_EQ(verdict(command("a", nonces.issue(clock.now()))), "");
}

TEST_F(GateTest, a_replayed_id_is_refused_also_with_a_fresh_nonce) {
  EXPECT_EQ(verdict(command("a", nonces.issue(clock.now()))), "");
  EXPECT_NE(verdict(command("a", nonces.issue(clock.now()))), "");
}

TEST_F(GateTest, a_command_is_late_counted_from_when_its_nonce_was_issued) {
  const auto nonce = nonces.issue(clock.now());
  clock.advance(std::chrono::milliseconds{9'999});
  EXPECT_EQ(verdict(command("a", nonce)), "");
  clock.advance(std::chrono::milliseconds{1});
  EXPECT_NE(verdict(command("b", nonce)), "");
}

TEST_F(GateTest, no_wall_clock_makes_a_late_command_fresh) {
  const auto nonce = nonces.issue(clock.now());
  clock.advance(std::chrono::seconds{11});
  clock.set_wall(WallTime{});
  EXPECT_NE(verdict(command("a", nonce)), "");
}

TEST_F(GateTest, a_nonce_that_this_agent_never_issued_is_refused) {
  EXPECT_NE(verdict(command("a", wire::Nonce{1})), "");
  EXPECT_NE(verdict(command("b", wire::Nonce{})), "");
}

TEST_F(GateTest, a_time_to_live_beyond_a_minute_or_of_nothing_is_refused) {
  auto c = command("a", nonces.issue(clock.now()));
  c.ttl = std::chrono::seconds{61};
  EXPECT_NE(verdict(c), "");
  c.ttl = std::chrono::seconds{0};
  EXPECT_NE(verdict(c), "");
}

TEST_F(GateTest, an_older_epoch_is_refused_and_a_newer_one_counts_from_then_on) {
  EXPECT_NE(verdict(command("a", nonces.issue(clock.now()), 4)), "");
  EXPECT_EQ(verdict(command("b", nonces.issue(clock.now()), 6)), "");
  EXPECT_NE(verdict(command("c", nonces.issue(clock.now()), 5)), "");
  EXPECT_FALSE(gate.greet(5));
  EXPECT_TRUE(gate.greet(6));
}

TEST_F(GateTest, a_stop_is_always_accepted) {
  wire::Command stop{
      "a", 0, wire::Nonce{}, std::chrono::seconds{0}, "stop", nlohmann::json::object()};
  EXPECT_EQ(verdict(stop), "");
  EXPECT_EQ(verdict(stop), "");
}

TEST_F(GateTest, nonces_and_ids_are_bounded_and_none_is_forgotten_while_it_could_be_replayed) {
  const auto first = nonces.issue(clock.now());
  for (std::size_t i = 1; i < Nonces::remembered; ++i) nonces.issue(clock.now());
  EXPECT_TRUE(nonces.issued(first));
  nonces.issue(clock.now());
  EXPECT_FALSE(nonces.issued(first));

  const auto nonce = nonces.issue(clock.now());
  for (std::size_t i = 0; i < CommandGate::ids_max; ++i) {
    ASSERT_EQ(verdict(command("id-" + std::to_string(i), nonce)), "");
  }
  EXPECT_NE(verdict(command("one-more", nonce)), "");
  EXPECT_NE(verdict(command("id-0", nonce)), "");
  clock.advance(std::chrono::seconds{61});
  EXPECT_EQ(verdict(command("one-more", nonces.issue(clock.now()))), "");
}

class StopBookTest : public ::testing::Test {
 protected:
  static coordinator::OpenStop stop(const std::string& operation, const std::string& agent,
                                    int expires_s) {
    return {operation, agent, {},   "anna", MonotonicTime{std::chrono::seconds{expires_s}},
            {},        false, false};
  }
  static MonotonicTime at(int seconds) { return MonotonicTime{std::chrono::seconds{seconds}}; }
  coordinator::StopBook book;
};

TEST_F(StopBookTest, an_agent_that_comes_back_gets_its_open_stops_in_their_order) {
  book.add(stop("z", "garage", 100));
  book.add(stop("a", "garage", 200));
  book.add(stop("a", "shed", 100));
  const auto open = book.of_agent("garage");
  ASSERT_EQ(open.size(), 2u);
  EXPECT_EQ(open[0].operation, "z");
  EXPECT_EQ(open[1].operation, "a");
}

TEST_F(StopBookTest, a_sent_stop_is_silent_until_it_is_answered) {
  book.add(stop("a", "garage", 100));
  EXPECT_TRUE(book.silent(at(50), std::chrono::seconds{2}).empty());
  book.sent("a", "garage", at(10));
  EXPECT_TRUE(book.silent(at(11), std::chrono::seconds{2}).empty());
  EXPECT_EQ(book.silent(at(12), std::chrono::seconds{2}).size(), 1u);
  EXPECT_TRUE(book.answered("a", "garage", false));
  EXPECT_TRUE(book.silent(at(20), std::chrono::seconds{2}).empty());
  EXPECT_EQ(book.of_agent("garage").size(), 1u);
  EXPECT_TRUE(book.answered("a", "garage", true));
  EXPECT_FALSE(book.answered("a", "garage", true));
  EXPECT_EQ(book.size(), 0u);
}

TEST_F(StopBookTest, what_expires_is_struck_out_once) {
  book.add(stop("a", "garage", 100));
  EXPECT_TRUE(book.take_expired(at(99)).empty());
  EXPECT_EQ(book.take_expired(at(100)).size(), 1u);
  EXPECT_TRUE(book.take_expired(at(100)).empty());
}

}  // namespace
}  // namespace firebreak
