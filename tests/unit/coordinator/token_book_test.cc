#include "coordinator/api/token_book.h"

#include <gtest/gtest.h>

#include "bench.h"
#include "common/identity/time_floor.h"

namespace firebreak::coordinator {
namespace {

using Kind = TokenVerdict::Kind;

struct TokenBookTest : ::testing::Test {
  ManualClock clock;
  TokenBook book{clock};
  std::int64_t now() const { return clock.wall().time_since_epoch().count(); }
};

TEST_F(TokenBookTest, knows_a_token_that_was_made) {
  const NewToken token = make_token("ana", true, all_scopes, now(), std::nullopt);
  book.put(token.row);
  const TokenVerdict verdict = book.judge("Bearer " + token.text);
  EXPECT_EQ(verdict.kind, Kind::valid);
  EXPECT_EQ(verdict.principal.name, "ana");
  EXPECT_TRUE(verdict.principal.person);
  EXPECT_EQ(book.judge("bEARER " + token.text).kind, Kind::valid);
}

TEST_F(TokenBookTest, keeps_the_hash_and_not_the_secret) {
  const NewToken token = make_token("ana", true, all_scopes, now(), std::nullopt);
  const std::string secret = token.text.substr(17);
  EXPECT_EQ(secret.size(), 64u);
  const std::string stored(token.row.secret_hash.begin(), token.row.secret_hash.end());
  EXPECT_EQ(stored.find(secret), std::string::npos);
  EXPECT_NE(make_token("ana", true, 1, 0, std::nullopt).text, token.text);
}

TEST_F(TokenBookTest, refuses_every_token_that_differs_in_one_character) {
  const NewToken token = make_token("ana", true, all_scopes, now(), std::nullopt);
  book.put(token.row);
  const std::string good = "Bearer " + token.text;
  for (std::size_t i = 7; i < good.size(); ++i) {
    std::string other = good;
    other[i] = other[i] == 'a' ? 'b' : 'a';
    EXPECT_EQ(book.judge(other).kind, Kind::wrong) << i;
  }
  for (const std::string& other :
       {good + "a", good.substr(0, good.size() - 1), std::string("Bearer "), std::string("x"),
        "Basic " + token.text, token.text, "Bearer  " + token.text})
    EXPECT_EQ(book.judge(other).kind, Kind::wrong) << other.size();
  EXPECT_EQ(book.judge("").kind, Kind::none);
}

TEST_F(TokenBookTest, tells_an_expired_token_from_a_revoked_one) {
  NewToken token = make_token("ana", true, all_scopes, now(), now() + 1000);
  book.put(token.row);
  EXPECT_EQ(book.judge("Bearer " + token.text).kind, Kind::valid);
  clock.advance(std::chrono::seconds{2});
  EXPECT_EQ(book.judge("Bearer " + token.text).kind, Kind::expired);
  EXPECT_TRUE(book.usable(token.row.id, true));
  EXPECT_FALSE(book.usable(token.row.id, false));
  token.row.revoked_ms = now();
  book.put(token.row);
  EXPECT_EQ(book.judge("Bearer " + token.text).kind, Kind::revoked);
  EXPECT_FALSE(book.usable(token.row.id, true));
}

TEST(TokenBookAndClock, a_clock_that_is_set_back_revives_no_expired_token) {
  TemporaryFolder folder;
  const std::string file = folder.path() / "time";
  ManualClock system;
  const WallTime noon = system.wall();
  const auto end = noon.time_since_epoch().count() + 1000;
  const NewToken token = make_token("ana", true, all_scopes, 0, end);
  {
    identity::TimeFloor floor(system, file);
    floor.raise(system.wall());
    const identity::FlooredClock clock(system, floor);
    TokenBook book(clock);
    book.put(token.row);
    EXPECT_EQ(book.judge("Bearer " + token.text).kind, Kind::valid);
    system.advance(std::chrono::seconds{2});
    system.set_wall(noon - std::chrono::days{365});
    EXPECT_EQ(book.judge("Bearer " + token.text).kind, Kind::expired);
    EXPECT_TRUE(book.usable(token.row.id, true)) << "it may still stop";
    ASSERT_TRUE(floor.save());
  }
  // Nor does a restart with the clock still wrong.
  identity::TimeFloor floor(system, file);
  ASSERT_TRUE(floor.load());
  const identity::FlooredClock clock(system, floor);
  TokenBook book(clock);
  book.put(token.row);
  EXPECT_EQ(book.judge("Bearer " + token.text).kind, Kind::expired);
}

TEST(GuessBrake, slows_one_source_and_not_another) {
  ManualClock clock;
  GuessBrake brake(clock);
  for (int i = 0; i < 10; ++i) brake.on_wrong_token("10.0.0.1");
  EXPECT_GT(brake.on_wrong_token("10.0.0.1").delay.count(), 0);
  EXPECT_EQ(brake.on_wrong_token("10.0.0.2").delay.count(), 0);
  for (int i = 0; i < 30; ++i) brake.on_wrong_token("10.0.0.1");
  EXPECT_TRUE(brake.on_wrong_token("10.0.0.1").too_many);
  clock.advance(std::chrono::minutes{10});
  EXPECT_FALSE(brake.on_wrong_token("10.0.0.1").too_many);
}

TEST(GuessBrake, writes_few_records_for_a_million_guesses_and_counts_the_rest) {
  ManualClock clock;
  GuessBrake brake(clock);
  int records = 0;
  std::uint64_t told = 0;
  for (int i = 0; i < 1'000'000; ++i) {
    const auto reaction = brake.on_wrong_token("10.0." + std::to_string(i % 7) + ".1");
    if (reaction.record) {
      ++records;
      told += reaction.suppressed + 1;
    }
    clock.advance(std::chrono::microseconds{100});
  }
  EXPECT_GE(records, 7);
  EXPECT_LE(records, 60);
  EXPECT_GT(told, 0u);
}

TEST(RequestBrake, gives_a_burst_and_then_a_rate) {
  ManualClock clock;
  RequestBrake brake(clock);
  for (int i = 0; i < 200; ++i) EXPECT_TRUE(brake.allow("a"));
  EXPECT_FALSE(brake.allow("a"));
  EXPECT_TRUE(brake.allow("b"));
  clock.advance(std::chrono::milliseconds{50});
  EXPECT_TRUE(brake.allow("a"));
}

}  // namespace
}  // namespace firebreak::coordinator
