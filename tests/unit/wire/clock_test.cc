// Hosts without a clock, and clocks that jump.

#include "common/identity/private_file.h"
#include "tests/unit/wire/raw_peer.h"

namespace firebreak::test {
namespace {

using ClockTest = Farm;

TEST_F(ClockTest, a_host_that_boots_in_1970_enrolls_and_connects) {
  clock.set_wall(WallTime{});
  start_all();
  EXPECT_TRUE(agent->is_up());
}

TEST_F(ClockTest, a_wall_clock_that_jumps_changes_nothing) {
  start_all();
  for (const auto& wall : {WallTime{}, today - std::chrono::hours{24 * 365},
                           today + std::chrono::hours{24 * 365 * 30}}) {
    clock.set_wall(wall);
    stop_uplink();
    start_uplink();
    turn_until([&] { return agent->is_up(); }, "the session");
  }
  EXPECT_EQ(coordinator.renewals, 0);
}

TEST_F(ClockTest, the_floor_is_never_before_the_day_of_the_build) {
  clock.set_wall(WallTime{});
  const identity::TimeFloor floor(clock, "");
  EXPECT_GE(floor.now(), identity::TimeFloor::build_date());
  EXPECT_GT(identity::TimeFloor::build_date(),
            WallTime{std::chrono::sys_days{std::chrono::year{2026} / 1 / 1}});
}

TEST_F(ClockTest, the_floor_goes_on_with_the_monotonic_clock_and_never_back) {
  identity::TimeFloor floor(clock, "");
  floor.raise(today);
  clock.set_wall(WallTime{});
  clock.advance(std::chrono::hours{2});
  EXPECT_EQ(floor.now(), today + std::chrono::hours{2});
  floor.raise(today);
  EXPECT_EQ(floor.now(), today + std::chrono::hours{2});
}

TEST_F(ClockTest, the_floor_outlives_a_restart) {
  const std::string path = folder + "/time";
  {
    identity::TimeFloor floor(clock, path);
    floor.raise(today);
    ASSERT_TRUE(floor.save());
  }
  identity::TimeFloor again(clock, path);
  ASSERT_TRUE(again.load());
  EXPECT_EQ(again.now(), today);
}

TEST_F(ClockTest, a_damaged_saved_time_is_said_and_does_no_harm) {
  const std::string path = folder + "/time";
  for (const char* text : {"", "tomorrow", "999999999999999999", "12x"}) {
    ASSERT_TRUE(identity::write_private_file(path, text));
    identity::TimeFloor floor(clock, path);
    EXPECT_EQ(floor.load().error().code, ErrorCode::corrupt) << text;
    EXPECT_EQ(floor.now(), identity::TimeFloor::build_date());
  }
}

}  // namespace
}  // namespace firebreak::test
