// The rhythm of asking: one question at a time, more and more rarely where nobody answers, and who
// answers is looked at again and again.
#include <nlohmann/json.hpp>

#include "tests/unit/uplink/uplink_bench.h"

namespace firebreak::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using ::testing::HasSubstr;
using uplink::PollingClient;
using uplink::PrinterEvent;
using uplink::PrinterFacts;
using uplink::Reach;

/// The smallest kind there can be.
class Probe final : public PollingClient {
 public:
  explicit Probe(Parts parts) : PollingClient(std::move(parts)) {}
  void stop_printer(Done done) override {
    order({.method = "POST", .path = "/stop"}, [done](const Result<void>& taken) {
      if (!taken) return done(fail(taken.error()));
      done(false);
    });
  }
  void heaters_off(Done done) override { done(false); }
  void revive(Done done) override { done(false); }
  void pause(Done done) override { done(false); }
  void cancel(Done done) override { done(false); }

 protected:
  void forget_identity() override {}
  void ask_round() override {
    ask({.path = "/state"}, [this](Result<json> answer, MonotonicTime asked) {
      if (!answer) return failed(answer.error());
      PrinterFacts facts;
      facts.reach = Reach::ready;
      facts.machine = uplink::text_at(*answer, "machine");
      facts.uuid = uplink::text_at(*answer, "uuid");
      facts.measured_at = asked;
      finish(std::move(facts));
    });
  }
};

class Polling : public UplinkBench {
 protected:
  void start_probe(std::chrono::milliseconds every = 5ms) {
    start(std::make_shared<Probe>(parts(every)));
  }
  void say(int status, const std::string& body) {
    service.handler = [=](const auto&) { return http_answer(status, body); };
  }
  /// What a new client makes of the first answer.
  void expect_at_once(Reach reach, int status, const std::string& body, const std::string& why) {
    if (client) client->close();
    say(status, body);
    told = 0;
    start_probe();
    turn_until([&] { return told > 0; }, "a state");
    judge(reach, why);
  }
  void expect(Reach reach, const std::string& why) {
    next_facts();
    judge(reach, why);
  }
  void judge(Reach reach, const std::string& why) {
    EXPECT_EQ(facts.reach, reach);
    EXPECT_THAT(facts.why, HasSubstr(why));
    EXPECT_FALSE(facts.measured_at.has_value());
  }
};

TEST_F(Polling, AReadingIsAsOldAsItsQuestion) {
  service.handler = [this](const auto&) {
    clock.advance(700ms);  // The printer takes its time.
    return http_answer(200, "{}");
  };
  start_probe();
  turn_until([&] { return facts.measured_at.has_value(); }, "a reading");
  EXPECT_GE(clock.now() - *facts.measured_at, 700ms);
}

TEST_F(Polling, ASecondQuestionWaitsForTheFirstAnswer) {
  start_probe(1ms);
  turn_until([&] { return told > 0; }, "the end of the first question");
  EXPECT_EQ(facts.reach, Reach::absent);
  EXPECT_THAT(facts.why, HasSubstr("does not answer in time"));
  EXPECT_EQ(service.requests.size(), 1U);
  turn_until([&] { return service.requests.size() == 2; }, "the second question");
  EXPECT_EQ(service.most_open, 1);
}

TEST_F(Polling, AnOrderGoesPastAQuestionThatHasNoAnswer) {
  service.handler = [](const ServiceRequest& request) {
    return request.target == "/stop" ? http_answer(200, "{}") : std::string();
  };
  start_probe();
  turn_until([&] { return service.open == 1; }, "the question");
  std::optional<Result<bool>> stopped;
  client->stop_printer([&](Result<bool> confirmed) { stopped = confirmed; });
  turn_until([&] { return stopped.has_value(); }, "the order's answer");
  EXPECT_EQ(*stopped, false) << "what was only taken is not confirmed";
  EXPECT_EQ(told, 0) << "the question is still out";
}

TEST_F(Polling, WhoDoesNotAnswerIsAskedMoreAndMoreRarely) {
  std::vector<std::chrono::steady_clock::time_point> asked;
  service.handler = [&](const auto&) {
    asked.push_back(std::chrono::steady_clock::now());
    return http_answer(500, "");
  };
  start_probe(20ms);
  turn_until([&] { return asked.size() == 6; }, "six questions");
  for (std::size_t i = 1; i < asked.size(); ++i) {
    EXPECT_GE(asked[i] - asked[i - 1], 20ms * (1 << i)) << "before question " << i;
  }
  say(200, "{}");
  turn_until([&] { return facts.reach == Reach::ready; }, "the printer's return");
}

TEST_F(Polling, EachBadAnswerIsAStateInWords) {
  expect_at_once(Reach::blocked, 401, "", "refuses the key");
  expect_at_once(Reach::blocked, 403, "{}", "refuses the key");
  expect_at_once(Reach::misconfigured, 404, "{}", "check kind and address");
  expect_at_once(Reach::misconfigured, 302, "", "redirects elsewhere");
  expect_at_once(Reach::absent, 503, "{}", "HTTP 503");
  expect_at_once(Reach::misconfigured, 200, "<html>", "no JSON");
  expect_at_once(Reach::misconfigured, 200, "{\"machine\":\"\xff\xfe\"}", "no JSON");
  expect_at_once(Reach::misconfigured, 200, std::string(100000, '['), "no JSON");
  expect_at_once(Reach::misconfigured, 200, "\"text\"", "no JSON");
}

TEST_F(Polling, AnotherCertificateIsAnotherPrinterAndARefusedKeyIsNot) {
  EXPECT_EQ(uplink::reach_of({ErrorCode::refused, ""}), Reach::wrong_printer);
  EXPECT_EQ(uplink::reach_of({ErrorCode::not_allowed, ""}), Reach::blocked);
}

TEST_F(Polling, TextsOfThePrinterAreShortAndHarmless) {
  say(200, json{{"machine", "\x1b[2J" + std::string(5000, 'a')}}.dump());
  start_probe();
  next_facts();
  EXPECT_LE(facts.machine.size(), 100U);
  EXPECT_EQ(facts.machine.find('\x1b'), std::string::npos);
}

TEST_F(Polling, AnotherPrinterIsNamedOnceAndItsReadingsDoNotCount) {
  expected_uuid = "SN1";
  say(200, R"({"machine":"mk4","uuid":"SN2"})");
  start_probe();
  expect(Reach::wrong_printer, "another printer answers at this address: mk4 SN2");
  next_facts();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].first, PrinterEvent::wrong_identity);
  say(200, R"({"machine":"mk4","uuid":"SN1"})");
  turn_until([&] { return facts.reach == Reach::ready; }, "the right one");
  say(200, R"({"machine":"mk4","uuid":"SN3"})");
  turn_until([&] { return events.size() == 2; }, "the next wrong one");
}

TEST_F(Polling, AfterItsEndNothingIsCalledAnyMore) {
  start_probe();
  turn_until([&] { return service.open == 1; }, "the question");
  client->close();
  service.close();
  FakeService other{io};
  turn_until([&] { return service.open == 0; }, "the end of the connection");
  for (int i = 0; i < 20; ++i) {
    io.restart();
    io.run_one_for(5ms);
  }
  EXPECT_EQ(told, 0);
}

}  // namespace
}  // namespace firebreak::test
