// Exactly once, whatever is cut or killed, in an order that a seed decides.

#include <random>

#include "tests/unit/wire/farm.h"

namespace firebreak::test {
namespace {

using OutageTest = Farm;

TEST_F(OutageTest, no_event_is_lost_or_doubled_over_random_cuts_and_restarts) {
  start_all();
  const auto port = hub->port();
  std::mt19937 random(20261121);
  int made = 0;
  for (int round = 0; round < 40; ++round) {
    for (unsigned i = 0; i < random() % 40; ++i) {
      guard->add_event("state", "event " + std::to_string(made++));
    }
    turn_for(std::chrono::milliseconds{random() % 20});
    switch (random() % 4) {
      case 0:  // the session is cut
        hub->cut_off("garage", "a cut");
        break;
      case 1:  // the coordinator is restarted
        stop_hub();
        start_hub(port);
        break;
      case 2:  // the uplink is restarted
        stop_uplink();
        start_uplink();
        break;
      case 3:  // the store refuses for a while
        coordinator.store_fails = true;
        turn_for(std::chrono::milliseconds{random() % 20});
        coordinator.store_fails = false;
        break;
    }
  }
  const auto all = [&] {
    return coordinator.stored_count("garage", guard->log) == guard->logs[guard->log].size();
  };
  turn_until(all, "all events");
  turn_until([&] { return agent->is_up(); }, "the session");
  turn_until(all, "all events, those of the last connection too");
  // Every one is there, once, with what the guard wrote under its number.
  std::uint64_t expected = 1;
  for (const auto& [seq, event] : coordinator.stored[{"garage", guard->log}]) {
    ASSERT_EQ(seq, expected++);
    EXPECT_EQ(event, guard->logs[guard->log][seq - 1]);
  }
}

TEST_F(OutageTest, a_slow_store_holds_up_neither_readings_nor_stops) {
  start_all();
  for (int i = 0; i < 2000; ++i) guard->add_event("state", "event");
  std::unique_lock held(coordinator.mutex);  // the store stands still from here on
  const int before = coordinator.telemetries["garage"];
  hub->send_stop({{"garage", {}}}, "op-1", "anna");
  turn_until([&] { return guard->stops == 1; }, "the stop");
  turn_until([&] { return coordinator.telemetries["garage"] > before + 3; }, "readings");
  EXPECT_EQ(guard->stops, 1);
  held.unlock();
  turn_until([&] { return coordinator.stored_count("garage", guard->log) >= 2000; }, "all events");
}

}  // namespace
}  // namespace firebreak::test
