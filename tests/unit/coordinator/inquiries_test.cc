// Scans and diagnoses through the API: asked of one agent, answered once.
#include <gtest/gtest.h>

#include "bench.h"

namespace firebreak::coordinator {
namespace {

using nlohmann::json;

struct InquiriesTest : ::testing::Test {
  ApiBench bench;
  const std::string operator_token = bench.token(static_cast<unsigned>(Scope::operate));

  InquiriesTest() { bench.connect("a1", guard_status({"p1"})); }

  std::string ask_scan(const json& body = json::object()) {
    const auto reply = bench.call("POST", "/api/v1/agents/a1/scan", operator_token, body.dump());
    EXPECT_EQ(reply.status, 202) << reply.text;
    return reply.status == 202 ? reply.body["inquiry"].get<std::string>() : "";
  }
  json view(const std::string& id) {
    return bench.call("GET", "/api/v1/inquiries/" + id, operator_token).body;
  }
  void answer(const std::string& id, const std::string& agent, const json& data,
              const std::string& error = {}, bool refused = false) {
    CommandUpdate update;
    update.operation = id;
    update.agent = agent;
    update.final_answer = true;
    update.error = error;
    update.refused = refused;
    if (data.is_object()) update.data = std::make_shared<const json>(data);
    bench.fleet.command_update(update);
  }
};

TEST_F(InquiriesTest, a_scan_goes_to_its_agent_and_its_answer_is_told) {
  const auto id = ask_scan({{"range", "10.0.0.0/24"}});
  ASSERT_EQ(bench.link.commands.size(), 1U);
  EXPECT_EQ(bench.link.commands[0].agent, "a1");
  EXPECT_EQ(bench.link.commands[0].verb, "scan");
  EXPECT_EQ(bench.link.commands[0].arguments, (json{{"range", "10.0.0.0/24"}}));
  EXPECT_EQ(view(id)["state"], "running");
  answer(id, "a1", {{"findings", json::array()}});
  EXPECT_EQ(view(id)["state"], "done");
  EXPECT_EQ(view(id)["answer"], (json{{"findings", json::array()}}));
}

TEST_F(InquiriesTest, another_agent_cannot_answer_and_the_first_answer_stays) {
  const auto id = ask_scan();
  answer(id, "a2", {{"findings", "forged"}});
  EXPECT_EQ(view(id)["state"], "running");
  answer(id, "a1", json(), "a scan is under way", true);
  answer(id, "a1", {{"findings", "late"}});
  EXPECT_EQ(view(id)["state"], "refused");
  EXPECT_EQ(view(id)["error"], "a scan is under way");
}

TEST_F(InquiriesTest, a_diagnosis_goes_to_the_agent_that_has_the_printer) {
  const auto reply =
      bench.call("POST", "/api/v1/printers/p1/diagnose", operator_token, R"({"fix":true})");
  EXPECT_EQ(reply.status, 202) << reply.text;
  ASSERT_EQ(bench.link.commands.size(), 1U);
  EXPECT_EQ(bench.link.commands[0].arguments, (json{{"printer", "p1"}, {"fix", true}}));
}

TEST_F(InquiriesTest, an_agent_that_is_away_is_an_answer_at_once) {
  bench.fleet.agent_disconnected("a1", "test");
  const auto reply = bench.call("POST", "/api/v1/agents/a1/scan", operator_token, "{}");
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(reply.body["code"], "agent_offline");
  EXPECT_TRUE(bench.link.commands.empty());
}

TEST_F(InquiriesTest, open_questions_are_bounded_and_answered_ones_are_forgotten_in_order) {
  std::vector<std::string> ids;
  Inquiries inquiries(bench.clock, bench.link);
  for (std::size_t i = 0; i < Inquiries::open_max; ++i)
    ids.push_back(inquiries.start("a1", "scan", json::object()).value());
  EXPECT_FALSE(inquiries.start("a1", "scan", json::object()));
  CommandUpdate update;
  update.operation = ids[0];
  update.agent = "a1";
  update.final_answer = true;
  update.error = "no answer in time";
  EXPECT_TRUE(inquiries.on_update(update));
  EXPECT_TRUE(inquiries.start("a1", "scan", json::object()));
  EXPECT_EQ(inquiries.view(ids[0])["state"], "failed");
  EXPECT_TRUE(inquiries.view("0123456789abcdef").is_null());
}

}  // namespace
}  // namespace firebreak::coordinator
