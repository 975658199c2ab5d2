// The main path, over real TLS: enrolment, session, telemetry, events, stops, outages.

#include "tests/unit/wire/farm.h"

namespace firebreak::test {
namespace {

using SessionTest = Farm;
using nlohmann::json;

json printer(const std::string& name, const std::string& state, const std::string& outcome) {
  return {{"name", name}, {"state", state}, {"outcome", outcome}};
}

TEST_F(SessionTest, an_enrolled_agent_connects_and_its_readings_arrive) {
  start_all();
  EXPECT_EQ(coordinator.newest["garage"]["agent"], "garage");
  EXPECT_EQ(coordinator.newest["garage"]["uplink"]["guard"], "ok");
  EXPECT_EQ(hub->connected_agents(), std::vector<std::string>{"garage"});
}

TEST_F(SessionTest, events_arrive_once_and_in_order) {
  start_all();
  for (int i = 0; i < 700; ++i) guard->add_event("state", "event");
  turn_until([&] { return coordinator.stored_count("garage", guard->log) >= 700; }, "all events");
  EXPECT_EQ(coordinator.duplicates, 0);
  std::uint64_t expected = 1;
  for (const auto& [seq, event] : coordinator.stored[{"garage", guard->log}]) {
    EXPECT_EQ(seq, expected++);
  }
}

TEST_F(SessionTest, the_guard_lets_go_only_of_what_is_durable_elsewhere) {
  start_all();
  guard->add_event("state", "one");
  turn_until([&] { return coordinator.stored_count("garage", guard->log) >= 1; }, "the event");
  turn_for(std::chrono::milliseconds{50});
  EXPECT_TRUE(guard->durable.empty());
  coordinator.all_durable = true;
  guard->add_event("state", "two");
  turn_until([&] { return guard->durable[guard->log] >= 2; }, "the guard's word to let go");
}

TEST_F(SessionTest, a_replaced_black_box_is_read_to_its_end_before_the_new_one) {
  start_all();
  guard->add_event("state", "old");
  turn_until([&] { return coordinator.stored_count("garage", guard->log) >= 1; }, "the event");
  const std::string old = guard->log;
  guard->hold_events = true;
  guard->add_event("state", "old too");
  guard->new_log("00000000000000bb");
  guard->add_event("state", "new");
  guard->hold_events = false;
  turn_until([&] { return coordinator.stored_count("garage", "00000000000000bb") >= 1; },
             "the new log");
  EXPECT_GE(coordinator.stored_count("garage", old), 2u);
}

TEST_F(SessionTest, a_stop_reaches_the_guard_and_its_outcome_comes_back_as_it_is) {
  guard->printers = json::array({printer("p1", "armed", "none"), printer("p2", "armed", "none")});
  start_all();
  hub->send_stop({{"garage", {}}}, "op-1", "anna");
  turn_until([&] { return !coordinator.updates.empty(); }, "the word that the guard has it");
  EXPECT_EQ(guard->stops, 1);
  EXPECT_EQ(guard->questions.back()["all"], true);
  EXPECT_EQ(guard->questions.back()["who"], "anna");
  clock.advance(std::chrono::milliseconds{400});
  guard->printers =
      json::array({printer("p1", "tripped", "proven"), printer("p2", "cutting", "sent")});
  turn_until(
      [&] {
        return coordinator.updates.size() >= 2 && !coordinator.updates.back().printers.empty();
      },
      "progress");
  EXPECT_FALSE(coordinator.updates.back().final_answer);
  clock.advance(std::chrono::milliseconds{400});
  guard->printers =
      json::array({printer("p1", "tripped", "proven"), printer("p2", "tripped", "sent")});
  turn_until([&] { return coordinator.updates.back().final_answer; }, "the final answer");
  ASSERT_EQ(coordinator.updates.back().printers.size(), 2u);
  EXPECT_EQ(coordinator.updates.back().printers[0].outcome, "proven");
  EXPECT_EQ(coordinator.updates.back().printers[1].outcome, "sent");
  EXPECT_EQ(guard->stops, 1);
}

TEST_F(SessionTest, a_stop_is_not_delayed_by_an_events_request_that_the_guard_holds) {
  start_all();
  guard->hold_events = true;
  guard->add_event("state", "held");
  turn_for(std::chrono::milliseconds{50});
  hub->send_stop({{"garage", {"p1"}}}, "op-2", "anna");
  turn_until([&] { return guard->stops == 1; }, "the stop");
  EXPECT_EQ(guard->questions.back()["printers"], json::array({"p1"}));
}

TEST_F(SessionTest, a_stop_for_an_agent_that_is_away_is_sent_when_it_comes_back) {
  start_all();
  stop_uplink();
  turn_until([&] { return hub->connected_agents().empty(); }, "the goodbye");
  hub->send_stop({{"garage", {}}}, "op-3", "anna");
  turn_until([&] { return !coordinator.updates.empty(); }, "the note that it is away");
  EXPECT_FALSE(coordinator.updates.back().final_answer);
  EXPECT_EQ(guard->stops, 0);
  start_uplink();
  turn_until([&] { return guard->stops == 1; }, "the stop");
}

TEST_F(SessionTest, a_stop_that_nobody_answers_ends_after_ten_minutes_and_says_so) {
  start_all();
  stop_uplink();
  hub->send_stop({{"garage", {}}}, "op-4", "anna");
  turn_until([&] { return !coordinator.updates.empty(); }, "the note that it is away");
  EXPECT_NE(coordinator.updates.back().error.find("within 10 min"), std::string::npos);
  clock.advance(std::chrono::seconds{601});
  turn_until([&] { return coordinator.updates.back().final_answer; }, "the end");
  EXPECT_TRUE(coordinator.updates.back().gave_up);
  EXPECT_FALSE(coordinator.updates.back().outcome_unknown);
  start_uplink();
  turn_until([&] { return agent->is_up(); }, "the session");
  turn_for(std::chrono::milliseconds{100});
  EXPECT_EQ(guard->stops, 0);
}

TEST_F(SessionTest, a_stop_that_waits_for_an_agent_ends_when_that_agent_is_revoked) {
  start_all();
  stop_uplink();
  turn_until([&] { return hub->connected_agents().empty(); }, "the goodbye");
  hub->send_stop({{"garage", {}}}, "op-4", "anna");
  turn_until([&] { return !coordinator.updates.empty(); }, "the note that it is away");
  hub->cut_off("garage", "revoked");
  turn_until([&] { return coordinator.updates.back().final_answer; }, "the end");
  EXPECT_TRUE(coordinator.updates.back().gave_up);
  EXPECT_NE(coordinator.updates.back().error.find("revoked"), std::string::npos);
}

TEST_F(SessionTest, a_stop_waits_for_a_guard_that_is_starting) {
  start_all();
  guard->close();
  turn_until([&] { return coordinator.newest["garage"]["uplink"]["guard"] == "unreachable"; },
             "the word that the guard is away");
  EXPECT_TRUE(agent->is_up());
  hub->send_stop({{"garage", {}}}, "op-5", "anna");
  turn_until([&] { return !coordinator.updates.empty(); }, "an answer");
  EXPECT_FALSE(coordinator.updates.back().final_answer);
  EXPECT_NE(coordinator.updates.back().error, "");
  guard->open();
  turn_until([&] { return guard->stops == 1; }, "the stop");
}

TEST_F(SessionTest, a_grant_is_signed_for_the_challenge_and_brought_to_the_guard) {
  start_all();
  hub->send_grant({"op-6", "garage", "p1", "reset", 7, "anna"});
  turn_until([&] { return !coordinator.updates.empty(); }, "the answer");
  EXPECT_EQ(coordinator.updates.back().error, "");
  EXPECT_TRUE(coordinator.updates.back().final_answer);
  EXPECT_EQ(guard->questions.back()["do"], "grant");
  EXPECT_EQ(guard->questions.back()["challenge"], std::string(64, 'c'));
}

TEST_F(SessionTest, a_grant_for_a_latch_that_has_changed_is_not_signed) {
  start_all();
  hub->send_grant({"op-7", "garage", "p1", "reset", 6, "anna"});
  turn_until([&] { return !coordinator.updates.empty(); }, "the answer");
  EXPECT_TRUE(coordinator.updates.back().refused);
  EXPECT_EQ(guard->questions.back()["do"], "challenge");
}

TEST_F(SessionTest, a_command_for_an_agent_that_is_away_fails_at_once) {
  start_all();
  stop_uplink();
  turn_until([&] { return hub->connected_agents().empty(); }, "the goodbye");
  hub->send_grant({"op-8", "garage", "p1", "reset", 7, "anna"});
  turn_until([&] { return !coordinator.updates.empty(); }, "the answer");
  EXPECT_TRUE(coordinator.updates.back().final_answer);
  EXPECT_FALSE(coordinator.updates.back().outcome_unknown);
}

TEST_F(SessionTest, a_command_that_is_refused_is_recorded_in_the_black_box) {
  start_all();
  hub->send_command("garage", "op-9", "launch", "{}", std::chrono::seconds{10});
  turn_until([&] { return !coordinator.updates.empty(); }, "the refusal");
  EXPECT_TRUE(coordinator.updates.back().refused);
  EXPECT_NE(coordinator.updates.back().error, "");
  const auto recorded = [&] {
    for (const auto& event : guard->logs[guard->log]) {
      if (event["kind"] == "command") return true;
    }
    return false;
  };
  turn_until(recorded, "the event");
}

TEST_F(SessionTest, a_coordinator_that_went_back_in_time_may_only_stop) {
  start_all();
  const auto port = hub->port();
  stop_hub();
  coordinator.epoch_now = 4;
  start_hub(port);
  turn_until([&] { return agent->is_up() && coordinator.connects["garage"] >= 2; }, "the session");
  const int before = coordinator.telemetries["garage"];
  turn_until([&] { return coordinator.telemetries["garage"] > before; }, "a nonce");
  hub->send_grant({"op-10", "garage", "p1", "reset", 7, "anna"});
  turn_until([&] { return !coordinator.updates.empty(); }, "the refusal");
  EXPECT_TRUE(coordinator.updates.back().refused);
  hub->send_stop({{"garage", {}}}, "op-11", "anna");
  turn_until([&] { return guard->stops == 1; }, "the stop");
}

TEST_F(SessionTest, a_redial_resumes_the_tls_session) {
  start_all();
  EXPECT_FALSE(agent->resumed());
  hub->cut_off("garage", "a test");
  turn_until([&] { return coordinator.connects["garage"] == 2 && agent->is_up(); },
             "a new session");
  EXPECT_TRUE(agent->resumed());
}

TEST_F(SessionTest, a_revoked_agent_is_cut_off_and_does_not_get_in_by_its_ticket) {
  start_all();
  {
    const std::scoped_lock lock(coordinator.mutex);
    coordinator.revoked.insert("garage");
  }
  hub->cut_off("garage", "revoked by anna");
  turn_until([&] { return coordinator.saw("revoked"); }, "the refusal of its next attempt");
  EXPECT_EQ(coordinator.connects["garage"], 1);
  EXPECT_TRUE(hub->connected_agents().empty());
}

}  // namespace
}  // namespace firebreak::test
