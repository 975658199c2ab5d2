#include "coordinator/fleet/operations.h"

#include <gtest/gtest.h>

#include "bench.h"

namespace firebreak::coordinator {
namespace {

using nlohmann::json;

const Requester ana{"token:1 ana", "1", "smoke"};

struct OperationsTest : ::testing::Test {
  ApiBench bench;
  FakeLink& link = bench.link;

  OperationsTest() {
    bench.connect("a1", guard_status({"p1", "p2"}));
    bench.connect("a2", guard_status({"p1", "p3"}));
  }
  StartedOperation stop(StopSelection selection) {
    return bench.operations.start_stop(selection, ana, {});
  }
  CommandUpdate answer(const std::string& operation, const std::string& agent,
                       std::vector<PrinterAnswer> printers, bool final_answer = true) {
    CommandUpdate update;
    update.operation = operation;
    update.agent = agent;
    update.final_answer = final_answer;
    update.printers = std::move(printers);
    return update;
  }
  json printer(const std::string& operation, const std::string& agent, const std::string& name) {
    const json view = bench.operations.view(operation);
    for (const json& one : view["printers"])
      if (one["agent"] == agent && one["printer"] == name) return one;
    return {};
  }
};

TEST_F(OperationsTest, a_stop_for_all_names_every_agent_and_every_printer) {
  const auto started = stop({{}, "", true});
  ASSERT_EQ(link.stops.size(), 1u);
  EXPECT_EQ(link.stops[0].targets.size(), 2u);
  EXPECT_TRUE(link.stops[0].targets[0].printers.empty());
  EXPECT_EQ(started.targets.size(), 4u);
}

TEST_F(OperationsTest, a_name_that_two_agents_share_stops_both) {
  const auto started = stop({{"p1"}, "", false});
  EXPECT_EQ(started.targets.size(), 2u);
  EXPECT_EQ(link.stops[0].targets.size(), 2u);
  EXPECT_EQ(stop({{"a2:p1"}, "", false}).targets.size(), 1u);
}

TEST_F(OperationsTest, a_wrong_name_beside_a_right_one_does_not_hold_the_stop_up) {
  const auto started = stop({{"p3", "nonsense"}, "", false});
  EXPECT_EQ(started.targets.size(), 1u);
  EXPECT_EQ(started.unknown, std::vector<std::string>{"nonsense"});
  EXPECT_EQ(link.stops.size(), 1u);
  EXPECT_TRUE(stop({{"nonsense"}, "", false}).id.empty());
}

TEST_F(OperationsTest, every_request_sends_again) {
  for (int i = 0; i < 5; ++i) stop({{}, "a1", false});
  EXPECT_EQ(link.stops.size(), 5u);
}

TEST_F(OperationsTest, shows_each_printers_answer_and_ends_when_all_have_answered) {
  const std::string id = stop({{}, "a1", false}).id;
  EXPECT_EQ(bench.operations.view(id)["state"], "running");
  bench.operations.on_update(answer(id, "a1", {{"p1", "sent", "stopping", ""}}, false));
  EXPECT_EQ(printer(id, "a1", "p1")["outcome"], "sent");
  EXPECT_EQ(printer(id, "a1", "p1")["final"], false);
  bench.operations.on_update(answer(
      id, "a1", {{"p1", "proven", "tripped", "cool"}, {"p2", "sent", "tripped", "no relay"}}));
  EXPECT_EQ(printer(id, "a1", "p1")["outcome"], "proven");
  EXPECT_EQ(printer(id, "a1", "p2")["outcome"], "sent");
  const std::string message = printer(id, "a1", "p2")["message"];
  EXPECT_NE(message.find("pull the power"), std::string::npos);
  EXPECT_EQ(bench.operations.view(id)["state"], "done");
}

TEST_F(OperationsTest, an_outcome_that_is_no_word_of_ours_counts_as_not_sent) {
  const std::string id = stop({{}, "a1", false}).id;
  bench.operations.on_update(answer(id, "a1", {{"p1", "PROVEN!", "tripped", ""}}));
  EXPECT_EQ(printer(id, "a1", "p1")["outcome"], "not_sent");
}

TEST_F(OperationsTest, an_agent_that_is_away_is_not_sent_now_and_answers_later) {
  const std::string id = stop({{}, "a2", false}).id;
  CommandUpdate away = answer(id, "a2", {}, false);
  away.error = "not connected";
  bench.operations.on_update(away);
  EXPECT_EQ(printer(id, "a2", "p3")["outcome"], "not_sent");
  const std::string message = printer(id, "a2", "p3")["message"];
  EXPECT_NE(message.find("pull the power"), std::string::npos);
  EXPECT_EQ(bench.operations.view(id)["state"], "done");
  EXPECT_EQ(bench.operations.view(id)["retrying"], true);
  bench.operations.on_update(answer(id, "a2", {{"p3", "proven", "tripped", ""}}));
  EXPECT_EQ(printer(id, "a2", "p3")["outcome"], "proven");
  EXPECT_EQ(bench.operations.view(id)["retrying"], false);
  // The agent's last word did not name its other printer: nobody knows.
  EXPECT_EQ(printer(id, "a2", "p1")["result"], "unknown");
}

TEST_F(OperationsTest, a_connected_agent_that_is_silent_is_told_as_unknown) {
  const std::string id = stop({{}, "a1", false}).id;
  bench.clock.advance(std::chrono::seconds{16});
  bench.operations.tick();
  EXPECT_EQ(printer(id, "a1", "p1")["result"], "unknown");
  EXPECT_EQ(printer(id, "a1", "p1")["outcome"], nullptr);
  EXPECT_EQ(bench.operations.view(id)["state"], "done");
}

TEST_F(OperationsTest, the_stream_tells_each_answer_once_and_resumes) {
  const std::string id = stop({{}, "a1", false}).id;
  auto stream = bench.operations.stream(id, 0);
  EXPECT_TRUE(stream->next().bytes.empty());
  bench.operations.on_update(answer(id, "a1", {{"p1", "sent", "stopping", ""}}, false));
  EXPECT_NE(stream->next().bytes.find("id: 1\nevent: printer\ndata: "), std::string::npos);
  EXPECT_TRUE(stream->next().bytes.empty());
  bench.operations.on_update(
      answer(id, "a1", {{"p1", "proven", "tripped", ""}, {"p2", "proven", "tripped", ""}}));
  const StreamChunk last = stream->next();
  EXPECT_NE(last.bytes.find("event: done"), std::string::npos);
  EXPECT_TRUE(last.end);
  const StreamChunk resumed = bench.operations.stream(id, 2)->next();
  EXPECT_EQ(resumed.bytes.find("id: 2\n"), std::string::npos);
  EXPECT_NE(resumed.bytes.find("id: 3\n"), std::string::npos);
}

TEST_F(OperationsTest, a_stop_that_did_not_reach_everybody_is_sent_again_after_a_restart) {
  const std::string id = stop({{}, "", true}).id;
  bench.operations.on_update(
      answer(id, "a1", {{"p1", "proven", "tripped", ""}, {"p2", "proven", "tripped", ""}}));
  flush(*bench.store);
  FakeLink later;
  FleetState fleet(bench.clock, *bench.store);
  ASSERT_TRUE(fleet.load());
  Operations operations(bench.clock, fleet, *bench.store, later);
  ASSERT_TRUE(operations.resume());
  ASSERT_EQ(later.stops.size(), 1u);
  EXPECT_EQ(later.stops[0].operation, id);
  ASSERT_EQ(later.stops[0].targets.size(), 1u);
  EXPECT_EQ(later.stops[0].targets[0].agent, "a2");
}

TEST_F(OperationsTest, a_grant_that_the_guard_took_is_done_although_no_printer_is_named) {
  const std::string id = bench.operations.start_grant("reset", {"a1", "p1"}, 3, ana, {});
  ASSERT_EQ(link.grants.size(), 1u);
  bench.operations.on_update(answer(id, "a1", {}));
  EXPECT_EQ(printer(id, "a1", "p1")["result"], "done");
  EXPECT_EQ(printer(id, "a1", "p1")["code"], nullptr);
  EXPECT_EQ(bench.operations.view(id)["state"], "done");
  const std::string refused = bench.operations.start_grant("release", {"a1", "p1"}, 3, ana, {});
  CommandUpdate no = answer(refused, "a1", {});
  no.refused = true;
  no.error = "the guard refuses: not clean yet";
  bench.operations.on_update(no);
  EXPECT_EQ(printer(refused, "a1", "p1")["result"], "refused");
}

TEST_F(OperationsTest, a_revoked_agents_printers_are_told_as_not_sent_and_never_left_out) {
  bench.fleet.revoke("a2", 1);
  for (const StopSelection& selection :
       {StopSelection{{}, "", true}, StopSelection{{}, "a2", false},
        StopSelection{{"p3"}, "", false}}) {
    const auto started = stop(selection);
    ASSERT_FALSE(started.id.empty());
    const json told = printer(started.id, "a2", "p3");
    EXPECT_EQ(told["outcome"], "not_sent");
    EXPECT_EQ(told["code"], "agent_revoked");
    EXPECT_EQ(told["final"], true);
    EXPECT_NE(told["message"].get<std::string>().find("pull the power"), std::string::npos);
    for (const StopTarget& target : link.stops.back().targets) EXPECT_NE(target.agent, "a2");
  }
  const auto alone = stop({{}, "a2", false});
  EXPECT_EQ(alone.targets.size(), 2u);
  EXPECT_EQ(bench.operations.view(alone.id)["state"], "done");
  EXPECT_EQ(bench.operations.view(alone.id)["retrying"], false);
}

struct MissedStopTest : OperationsTest {
  std::string id = stop({{}, "a2", false}).id;

  MissedStopTest() { bench.fleet.agent_disconnected("a2", "cut"); }
  void give_up() {
    CommandUpdate update = answer(id, "a2", {});
    update.gave_up = true;
    update.error = "it did not come back in time; the stop was never sent";
    bench.operations.on_update(update);
  }
  json shown(const std::string& name) { return bench.fleet.printer_json({"a2", name}); }
  std::vector<json> events() {
    flush(*bench.store);
    std::vector<json> out;
    EventQuery all;
    all.limit = 1000;
    const auto rows = bench.store->events(all);
    for (const EventRow& row : *rows)
      if (row.body["kind"] == "stop.missed") out.push_back(row.body);
    return out;
  }
};

TEST_F(MissedStopTest, ends_as_not_sent_with_an_alarm_that_names_the_printers) {
  give_up();
  EXPECT_EQ(printer(id, "a2", "p3")["outcome"], "not_sent");
  EXPECT_EQ(printer(id, "a2", "p3")["final"], true);
  EXPECT_EQ(bench.operations.view(id)["retrying"], false);
  const auto told = events();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0]["severity"], "alarm");
  EXPECT_NE(told[0]["text"].get<std::string>().find("p1, p3"), std::string::npos);
}

TEST_F(MissedStopTest, an_agent_that_comes_back_is_shown_as_not_stopped_by_it) {
  give_up();
  bench.connect("a2", guard_status({"p1", "p3"}));
  EXPECT_EQ(shown("p3")["missed_stop"]["operation"], id);
  EXPECT_NE(shown("p3")["attention"].get<std::string>().find("was NOT stopped by stop " + id),
            std::string::npos);
  EXPECT_EQ(bench.fleet.printer_json({"a1", "p1"})["missed_stop"], nullptr);
  const auto told = events();
  ASSERT_EQ(told.size(), 3u);
  EXPECT_NE(told[2]["text"].get<std::string>().find("p3 was NOT stopped by stop " + id),
            std::string::npos);
}

TEST_F(MissedStopTest, is_held_against_a_printer_until_it_is_seen_latched) {
  give_up();
  bench.connect("a2", guard_status({"p1", "p3"}));
  bench.fleet.telemetry("a2", guard_status({"p1", "p3"}, "tripped", {"person"}));
  EXPECT_EQ(shown("p3")["missed_stop"], nullptr);
  bench.fleet.telemetry("a2", guard_status({"p1", "p3"}));
  EXPECT_EQ(shown("p3")["missed_stop"], nullptr);
  flush(*bench.store);
  EXPECT_TRUE(bench.store->waiting_operations()->empty());
}

TEST_F(MissedStopTest, is_made_good_by_a_later_stop_that_reaches_the_printer) {
  give_up();
  bench.connect("a2", guard_status({"p1", "p3"}));
  const std::string later = stop({{"p3"}, "", false}).id;
  bench.operations.on_update(answer(later, "a2", {{"p3", "sent", "stopping", ""}}, false));
  EXPECT_EQ(shown("p3")["missed_stop"], nullptr);
  EXPECT_NE(shown("p1")["missed_stop"], nullptr);
}

TEST_F(MissedStopTest, is_still_shown_after_a_restart_of_the_coordinator) {
  give_up();
  flush(*bench.store);
  FakeLink later;
  FleetState fleet(bench.clock, *bench.store);
  ASSERT_TRUE(fleet.load());
  Operations operations(bench.clock, fleet, *bench.store, later);
  ASSERT_TRUE(operations.resume());
  EXPECT_TRUE(later.stops.empty());
  EXPECT_EQ(fleet.printer_json({"a2", "p3"})["missed_stop"]["operation"], id);
}

TEST_F(OperationsTest, a_stop_whose_time_passed_while_the_coordinator_was_down_is_not_sent_again) {
  const std::string id = stop({{}, "a2", false}).id;
  flush(*bench.store);
  bench.clock.advance(std::chrono::minutes{4});
  {
    FakeLink soon;
    FleetState fleet(bench.clock, *bench.store);
    ASSERT_TRUE(fleet.load());
    Operations operations(bench.clock, fleet, *bench.store, soon);
    ASSERT_TRUE(operations.resume());
    ASSERT_EQ(soon.stops.size(), 1u);
    EXPECT_EQ(soon.stops[0].within, std::chrono::minutes{6});
  }
  bench.clock.advance(std::chrono::hours{24 * 30});
  FakeLink later;
  FleetState fleet(bench.clock, *bench.store);
  ASSERT_TRUE(fleet.load());
  Operations operations(bench.clock, fleet, *bench.store, later);
  ASSERT_TRUE(operations.resume());
  EXPECT_TRUE(later.stops.empty());
  EXPECT_EQ(fleet.printer_json({"a2", "p3"})["missed_stop"]["operation"], id);
  flush(*bench.store);
}

TEST_F(OperationsTest, is_in_the_audit_log_with_its_answer) {
  const std::string id = stop({{}, "a1", false}).id;
  bench.operations.on_update(
      answer(id, "a1", {{"p1", "proven", "tripped", ""}, {"p2", "sent", "tripped", ""}}));
  flush(*bench.store);
  std::vector<std::string> actions;
  const auto records = bench.store->audit_records(0, 500);
  for (const AuditRecord& record : *records)
    actions.push_back((*audit_record_json(record))["action"]);
  EXPECT_NE(std::find(actions.begin(), actions.end(), "stop"), actions.end());
  EXPECT_NE(std::find(actions.begin(), actions.end(), "stop.answer"), actions.end());
}

struct FleetTest : ::testing::Test {
  ApiBench bench;
  json printer(const std::string& name) { return bench.fleet.printer_json({"a1", name}); }
};

TEST_F(FleetTest, a_state_ages_into_unknown_and_a_reading_into_null) {
  bench.connect("a1", guard_status({"p1"}));
  EXPECT_EQ(printer("p1")["state"], "armed");
  EXPECT_EQ(printer("p1")["heaters"][0]["celsius"], 200.5);
  EXPECT_EQ(printer("p1")["attention"], nullptr);
  bench.clock.advance(std::chrono::seconds{6});
  EXPECT_EQ(printer("p1")["state"], "unknown");
  EXPECT_EQ(printer("p1")["reported_state"], "armed");
  EXPECT_EQ(printer("p1")["heaters"][0]["trusted"], false);
  EXPECT_EQ(printer("p1")["heaters"][0]["age_ms"], 6100);
  bench.clock.advance(std::chrono::seconds{10});
  EXPECT_EQ(printer("p1")["heaters"][0]["celsius"], nullptr);
  EXPECT_NE(printer("p1")["attention"], nullptr);
}

TEST_F(FleetTest, an_agent_that_left_makes_its_printers_unknown_at_once) {
  bench.connect("a1", guard_status({"p1"}));
  bench.fleet.agent_disconnected("a1", "cut");
  EXPECT_EQ(printer("p1")["state"], "unknown");
  EXPECT_EQ(printer("p1")["connected"], false);
  EXPECT_NE(printer("p1")["last_seen"], nullptr);
  // A new session's silence is not the old session's word.
  bench.fleet.agent_connected("a1", json::object(), "x");
  EXPECT_EQ(printer("p1")["state"], "unknown");
}

TEST_F(FleetTest, remembers_printers_over_a_restart_as_unknown) {
  bench.connect("a1", guard_status({"p1"}));
  flush(*bench.store);
  FleetState later(bench.clock, *bench.store);
  ASSERT_TRUE(later.load());
  EXPECT_EQ(later.printer_json({"a1", "p1"})["state"], "unknown");
}

TEST_F(FleetTest, odd_telemetry_becomes_unknown_and_never_green) {
  const json odd = json::parse(R"({"printers":[{"name":"p1","state":"fine","outcome":7,
    "heaters":[{"name":1,"celsius":"hot","age_ms":-5,"trusted":"yes"},null,3],"link":"x",
    "causes":{"a":1},"identity":[],"latch_number":"3","independent_stop":1},
    {"name":"../etc"},{"name":5},7]})");
  bench.connect("a1", odd);
  const json p = printer("p1");
  EXPECT_EQ(p["state"], "unknown");
  EXPECT_EQ(p["latch_number"], nullptr);
  EXPECT_EQ(p["independent_stop"], false);
  EXPECT_EQ(p["heaters"][0]["celsius"], nullptr);
  EXPECT_EQ(p["heaters"][0]["trusted"], false);
  EXPECT_EQ(bench.fleet.printers_json().size(), 1u);
  for (const char* text : {"[]", "7", "null", R"({"printers":{"a":1}})", R"({"printers":null})"})
    bench.fleet.telemetry("a1", json::parse(text));
}

TEST_F(FleetTest, escapes_what_a_printer_says_of_itself) {
  json status = guard_status({"p1"});
  status["printers"][0]["identity"]["machine"] = "\x1b[31mred\nnew";
  bench.connect("a1", status);
  const std::string machine = printer("p1")["identity"]["machine"];
  EXPECT_EQ(machine.find('\x1b'), std::string::npos);
  EXPECT_EQ(machine.find('\n'), std::string::npos);
}

}  // namespace
}  // namespace firebreak::coordinator
