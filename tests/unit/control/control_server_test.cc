#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/unit/control/control_fixture.h"

namespace firebreak::guard {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(ControlServerTest, AnswersStatusWithTheIdOfTheRequest) {
  const auto answer = operator_answer({{"do", "status"}, {"id", 7}});
  EXPECT_EQ(answer.at("ok"), true);
  EXPECT_EQ(answer.at("id"), 7);
  EXPECT_EQ(answer.at("agent"), "garage");
}

TEST_F(ControlServerTest, EveryVerbReachesTheService) {
  operator_answer({{"do", "stop"}, {"printers", {"p1", "p2"}}});
  operator_answer({{"do", "stop"}, {"all", true}});
  operator_answer({{"do", "reset"}, {"printer", "p1"}, {"latch_number", 12}, {"reason", "looked"}});
  operator_answer({{"do", "reset"}, {"all", true}});
  operator_answer({{"do", "reset"}, {"host", true}, {"latch_number", 3}});
  for (const char* verb : {"release", "confirm", "arm", "models", "approve_model"})
    operator_answer({{"do", verb}, {"printer", "p1"}});
  operator_answer({{"do", "watch"}, {"printer", "p1"}, {"hours", 24}});
  operator_answer({{"do", "commission"}, {"printer", "p1"}, {"step", "press"}});
  for (auto v : {"restart", "silence", "unpark", "forget_restarts"}) operator_answer({{"do", v}});
  const std::vector<std::string> said{
      "stop p1 p2",   "stop all",          "reset p1 12", "reset all 0",
      "reset host 3", "release p1",        "confirm p1",  "arm p1",
      "models p1",    "approve_model p1 ", "watch p1 24", "commission p1 press",
      "restart",      "silence",           "unpark",      "forget_restarts"};
  EXPECT_EQ(service_.calls, said);
}

TEST_F(ControlServerTest, TheUplinksVerbsReachTheServiceThroughItsOwnSocket) {
  Caller uplink(paths_.uplink_socket);
  EXPECT_EQ(answer_to(uplink, {{"do", "stop"}, {"all", true}, {"who", "ana"}}).at("pass"), 1);
  const std::string log = "0123456789abcdef";
  answer_to(uplink, {{"do", "durable"}, {"log", log}, {"seq", 41}});
  EXPECT_EQ(answer_to(uplink, {{"do", "challenge"}, {"printer", "p1"}}).at("generation"), 3);
  answer_to(uplink, {{"do", "grant"},
                     {"printer", "p1"},
                     {"action", "reset"},
                     {"challenge", std::string(64, 'a')},
                     {"signature", std::string(128, 'b')},
                     {"who", "ana"}});
  answer_to(uplink, {{"do", "event"}, {"kind", "link"}, {"severity", "info"}, {"text", "up"}});
  EXPECT_THAT(service_.calls, ElementsAre("stop all by coordinator", "durable " + log + " 41",
                                          "challenge p1", "grant p1 reset", "event link"));
}

TEST_F(ControlServerTest, TheUplinkIsNeverGivenAVerbThatLeadsTowardsHeat) {
  Caller uplink(paths_.uplink_socket);
  for (const char* verb : {"reset", "release", "confirm", "arm", "watch", "commission", "unpark",
                           "models", "approve_model", "restart", "silence", "forget_restarts"}) {
    EXPECT_EQ(answer_to(uplink, {{"do", verb}, {"printer", "p1"}}).at("code"), "not_allowed");
  }
  EXPECT_TRUE(service_.calls.empty());
}

TEST_F(ControlServerTest, AnOperatorWhoIsNotOfTheResetGroupMayStopButNotReset) {
  server_.reset();
  const auto self = geteuid();
  const uid_t person = self == 0 ? 65534 : self;  // Root may do everything, so it is not used.
  rights_.own_uid = person;
  rights_.own_may_reset = false;
  start();
  std::filesystem::permissions(folder_, std::filesystem::perms{0755});
  std::filesystem::permissions(paths_.operator_socket, std::filesystem::perms{0666});
  ASSERT_EQ(seteuid(person), 0);
  Caller caller(paths_.operator_socket);
  ASSERT_EQ(seteuid(self), 0);
  ASSERT_TRUE(caller.connected());
  EXPECT_EQ(answer_to(caller, {{"do", "stop"}, {"all", true}}).at("ok"), true);
  EXPECT_EQ(answer_to(caller, {{"do", "arm"}, {"printer", "p1"}}).at("code"), "not_allowed");
  EXPECT_EQ(answer_to(caller, {{"do", "commission"}, {"printer", "p1"}}).at("ok"), true);
  for (const char* step : {"begin", "confirm"})
    EXPECT_EQ(answer_to(caller, {{"do", "commission"}, {"printer", "p1"}, {"step", step}})["code"],
              "not_allowed");
  EXPECT_THAT(service_.calls, ElementsAre("stop all", "commission p1 "));
}

TEST_F(ControlServerTest, AWrongTypeIsABadRequestThatNamesItsField) {
  const std::vector<std::pair<json, std::string>> cases{
      {{{"do", "reset"}, {"printer", 7}, {"latch_number", 1}}, "printer"},
      {{{"do", "reset"}, {"printer", "p1"}, {"latch_number", "1"}}, "latch_number"},
      {{{"do", "reset"}, {"printer", "p1"}, {"latch_number", -1}}, "latch_number"},
      {{{"do", "reset"}, {"printer", "p1"}, {"latch_number", 1.5}}, "latch_number"},
      {{{"do", "reset"}, {"printer", "p1"}, {"all", true}, {"latch_number", 1}}, "exactly one"},
      {{{"do", "reset"}, {"printer", "p1"}, {"latch_number", 1}, {"measured_celsius", "cold"}},
       "measured_celsius"},
      {{{"do", "watch"}, {"printer", "p1"}, {"hours", 169}}, "hours"},
      {{{"do", "watch"}, {"printer", "p1"}}, "hours"},
      {{{"do", "arm"}}, "printer"},
      {{{"do", "events"}, {"limit", 501}}, "limit"},
      {{{"do", "events"}, {"wait_ms", 5001}}, "wait_ms"},
      {{{"do", "stop"}, {"printers", "p1"}}, "printers"},
      {{{"do", "stop"}, {"printers", {1}}}, "printers"},
      {{{"do", "stop"}}, "nothing was stopped"},
      {{{"do", 1}}, "do"},
      {{{"do", "explode"}}, "explode"},
  };
  for (const auto& [request, word] : cases) {
    const auto answer = operator_answer(request);
    EXPECT_EQ(answer.at("code"), "bad_request") << request;
    EXPECT_THAT(answer.at("message").get<std::string>(), HasSubstr(word));
  }
  EXPECT_TRUE(service_.calls.empty());
}

TEST_F(ControlServerTest, AStopForAllIsObeyedEvenWithARubbishList) {
  EXPECT_EQ(operator_answer({{"do", "stop"}, {"all", true}, {"printers", 5}}).at("ok"), true);
  EXPECT_THAT(service_.calls, ElementsAre("stop all"));
}

TEST_F(ControlServerTest, WhatTheServiceRefusesIsPassedOnWithItsReason) {
  service_.answer = fail(ErrorCode::refused, "the bed has 81 C; wait until it is below 50 C");
  const auto answer = operator_answer({{"do", "release"}, {"printer", "p1"}});
  EXPECT_EQ(answer.at("code"), "refused");
  EXPECT_THAT(answer.at("message").get<std::string>(), HasSubstr("81 C"));
}

TEST_F(ControlServerTest, JunkIsAnsweredAndTheConnectionLivesOn) {
  Caller caller(paths_.operator_socket);
  caller.say(std::string("\0\xff\xfe{{{\n[1,2]\n", 14) + std::string(30'000, '[') + "\n");
  caller.ask({{"do", "status"}});
  rounds(8);
  const auto answers = caller.hear();
  ASSERT_EQ(answers.size(), 4U);
  EXPECT_EQ(answers[0].at("code"), "bad_request");
  EXPECT_EQ(answers[1].at("code"), "bad_request");
  EXPECT_THAT(answers[2].at("message").get<std::string>(), HasSubstr("deeper"));
  EXPECT_EQ(answers[3].at("ok"), true);
}

TEST_F(ControlServerTest, ALineOverTheLimitEndsOnlyThisClient) {
  Caller rude(paths_.operator_socket);
  Caller polite(paths_.operator_socket);
  for (int i = 0; i < 20; ++i) {
    rude.say(std::string(8192, 'x'));
    rounds(1);
  }
  const auto answers = rude.hear();
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].at("code"), "bad_request");
  EXPECT_TRUE(rude.ended);
  EXPECT_EQ(answer_to(polite, {{"do", "status"}}).at("ok"), true);
}

TEST_F(ControlServerTest, AStopGoesBeforeEverythingThatWasQueuedBeforeIt) {
  Caller first(paths_.operator_socket);
  Caller second(paths_.operator_socket);
  rounds(1);
  first.ask({{"do", "status"}, {"id", 1}});
  first.ask({{"do", "silence"}, {"id", 2}});
  first.ask({{"do", "stop"}, {"printers", {"p1"}}, {"id", 3}});
  second.ask({{"do", "status"}});
  second.ask({{"do", "stop"}, {"printers", {"p2"}}});
  rounds(8);
  EXPECT_THAT(service_.calls, ElementsAre("stop p1", "stop p2", "status", "status", "silence"));
  const auto answers = first.hear();
  ASSERT_EQ(answers.size(), 3U) << "answers keep the order of their requests";
  EXPECT_EQ(answers[0].at("id"), 1);
  EXPECT_EQ(answers[2].at("id"), 3);
}

TEST_F(ControlServerTest, AStopThatArrivesDuringARequestWaitsForThatRequestOnly) {
  Caller busy(paths_.operator_socket);
  for (int i = 0; i < 10; ++i) busy.ask({{"do", "status"}});
  rounds(1);
  ASSERT_EQ(service_.calls.size(), 1U);
  Caller caller(paths_.operator_socket);
  caller.ask({{"do", "stop"}, {"all", true}});
  rounds(1);
  EXPECT_THAT(service_.calls, ElementsAre("status", "stop all", "status"));
}

TEST_F(ControlServerTest, AStopIsPerformedWhileAnotherRequestWatchesForItsEffect) {
  Caller slow(paths_.operator_socket);
  Caller urgent(paths_.operator_socket);
  rounds();
  service_.while_releasing = [&] {
    urgent.ask({{"do", "status"}});
    urgent.ask({{"do", "stop"}, {"all", true}});
    Caller newcomer(paths_.uplink_socket);
    newcomer.ask({{"do", "stop"}, {"printers", {"p1"}}});
    server_->attend_stops();
  };
  EXPECT_EQ(answer_to(slow, {{"do", "release"}, {"printer", "p1"}}).at("ok"), true);
  EXPECT_THAT(service_.calls,
              ElementsAre("stop all", "stop p1 by coordinator", "release p1", "status"));
  EXPECT_EQ(urgent.hear().size(), 2U);
}

TEST_F(ControlServerTest, WaitingForEventsBlocksNobodyAndEndsWithTheFirstEvent) {
  Caller uplink(paths_.uplink_socket);
  uplink.ask({{"do", "events"}, {"after", 4}, {"wait_ms", 5000}});
  rounds();
  EXPECT_TRUE(uplink.hear().empty());
  EXPECT_EQ(operator_answer({{"do", "status"}}).at("ok"), true);
  service_.stored.push_back({{"seq", 5}, {"text", "tripped"}});
  server_->wake();
  rounds(2);
  const auto answers = uplink.hear();
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].at("events")[0].at("seq"), 5);
}

TEST_F(ControlServerTest, WaitingForEventsEndsEmptyWhenItsTimeIsOver) {
  Caller uplink(paths_.uplink_socket);
  uplink.ask({{"do", "events"}, {"wait_ms", 3000}});
  rounds();
  clock_.advance(2999ms);
  rounds();
  EXPECT_TRUE(uplink.hear().empty());
  clock_.advance(1ms);
  rounds();
  const auto answers = uplink.hear();
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_TRUE(answers[0].at("events").empty());
}

TEST_F(ControlServerTest, ARequestBehindAWaitingOneEndsTheWait) {
  Caller uplink(paths_.uplink_socket);
  uplink.ask({{"do", "events"}, {"wait_ms", 5000}});
  rounds();
  uplink.ask({{"do", "status"}});
  rounds();
  EXPECT_EQ(uplink.hear().size(), 2U);
}

TEST_F(ControlServerTest, EventsThatWouldNotFitIntoALineAreCutAtTheirEnd) {
  for (int i = 1; i <= 500; ++i) {
    service_.stored.push_back({{"seq", i}, {"text", std::string(500, 'x')}});
  }
  Caller uplink(paths_.uplink_socket);
  const auto answer = answer_to(uplink, {{"do", "events"}, {"limit", 500}});
  EXPECT_LE(answer.dump().size(), 65536U);
  EXPECT_GT(answer.at("events").size(), 50U);
  EXPECT_EQ(answer.at("events")[0].at("seq"), 1);
}

TEST_F(ControlServerTest, ABareListOfEventsIsGivenItsLog) {
  service_.bare_list = true;
  service_.stored.push_back({{"seq", 7}});
  const auto answer = operator_answer({{"do", "events"}});
  EXPECT_EQ(answer.at("log"), "fedcba9876543210");
  EXPECT_EQ(answer.at("logs"), json::parse(R"([{"log":"fedcba9876543210","last_seq":7}])"));
  EXPECT_EQ(answer.at("events").size(), 1U);
}

TEST_F(ControlServerTest, AClientThatDribblesIsClosedAfterFiveSeconds) {
  Caller caller(paths_.operator_socket);
  caller.say("{\"do\":");
  rounds();
  for (int i = 0; i < 4; ++i) {
    clock_.advance(1s);
    caller.say(" ");
    rounds(1);
  }
  EXPECT_EQ(server_->clients(), 1U);
  clock_.advance(1s);
  rounds();
  const auto answers = caller.hear();
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_TRUE(caller.ended);
  EXPECT_EQ(server_->clients(), 0U);
}

TEST_F(ControlServerTest, AnIdleClientWithoutAHalfLineIsKept) {
  Caller caller(paths_.operator_socket);
  answer_to(caller, {{"do", "status"}});
  clock_.advance(1h);
  EXPECT_EQ(answer_to(caller, {{"do", "status"}}).at("ok"), true);
}

TEST_F(ControlServerTest, AClientThatDoesNotReadIsClosedAndItsStopsWereObeyed) {
  for (int i = 1; i <= 100; ++i) {
    service_.stored.push_back({{"seq", i}, {"text", std::string(600, 'x')}});
  }
  Caller caller(paths_.operator_socket);
  for (int i = 0; i < 60; ++i) {
    caller.ask({{"do", "events"}});
    rounds(2);
  }
  EXPECT_EQ(server_->clients(), 1U);
  clock_.advance(5s);
  rounds();
  EXPECT_EQ(server_->clients(), 0U);
}

TEST_F(ControlServerTest, AnswersAreFinishedForAClientThatHasStoppedSending) {
  Caller caller(paths_.operator_socket);
  caller.ask({{"do", "status"}});
  caller.ask({{"do", "events"}, {"wait_ms", 5000}});
  caller.hang_up_sending();
  rounds(6);
  EXPECT_EQ(caller.hear().size(), 2U);
  EXPECT_TRUE(caller.ended);
}

TEST_F(ControlServerTest, AStopOfACallerThatIsAlreadyGoneIsObeyed) {
  {
    Caller caller(paths_.operator_socket);
    caller.ask({{"do", "stop"}, {"all", true}});
  }
  rounds();
  EXPECT_THAT(service_.calls, ElementsAre("stop all"));
  EXPECT_EQ(server_->clients(), 0U);
}

TEST_F(ControlServerTest, SlotsAreBoundedAndAnIdleClientGivesItsPlaceToANewcomer) {
  std::vector<std::unique_ptr<Caller>> crowd;
  for (std::size_t i = 0; i < ControlServer::operator_clients_max; ++i) {
    crowd.push_back(std::make_unique<Caller>(paths_.operator_socket));
    rounds(1);
  }
  Caller late(paths_.operator_socket);
  rounds();
  auto answers = late.hear();
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].at("code"), "busy");
  EXPECT_TRUE(late.ended);

  clock_.advance(5s);
  Caller later(paths_.operator_socket);
  EXPECT_EQ(answer_to(later, {{"do", "status"}}).at("ok"), true);
  EXPECT_EQ(server_->clients(), ControlServer::operator_clients_max);
}

TEST_F(ControlServerTest, TheUplinksCrowdTakesNoSlotOfTheOperators) {
  std::vector<std::unique_ptr<Caller>> crowd;
  for (int i = 0; i < 10; ++i) {
    crowd.push_back(std::make_unique<Caller>(paths_.uplink_socket));
    rounds(1);
  }
  EXPECT_EQ(server_->clients(), ControlServer::uplink_clients_max);
  EXPECT_EQ(operator_answer({{"do", "status"}}).at("ok"), true);
}

TEST_F(ControlServerTest, AMistakeOfTheServiceIsAnAnswerAndNotTheEnd) {
  service_.throw_on_events = true;
  EXPECT_EQ(operator_answer({{"do", "events"}}).at("code"), "failed");
  EXPECT_EQ(operator_answer({{"do", "status"}}).at("ok"), true);
}

TEST_F(ControlServerTest, BytesThatAreNotTextStillMakeAnAnswer) {
  service_.stored.push_back({{"seq", 1}, {"text", "T:\xff\xfe"}});
  EXPECT_EQ(operator_answer({{"do", "events"}}).at("ok"), true);
}

TEST_F(ControlServerTest, TheSocketFilesAreForTheirGroupOnlyAndGoWithTheServer) {
  struct stat info {};
  ASSERT_EQ(lstat(paths_.operator_socket.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600U);
  server_.reset();
  EXPECT_FALSE(std::filesystem::exists(paths_.operator_socket));
  rights_.operator_group = getegid();
  start();
  ASSERT_EQ(lstat(paths_.operator_socket.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0660U);
}

TEST_F(ControlServerTest, ASocketFileOfADeadGuardIsReplaced) {
  server_.reset();
  const int dead = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  paths_.operator_socket.string().copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(bind(dead, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  close(dead);
  start();
  EXPECT_EQ(operator_answer({{"do", "status"}}).at("ok"), true);
}

TEST_F(ControlServerTest, ASecondGuardAndAFileInTheWayAreRefusedWithASentence) {
  const auto second = ControlServer::create(paths_, rights_, service_, clock_);
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message, HasSubstr("another guard"));
  server_.reset();
  std::ofstream(paths_.operator_socket) << "precious";
  const auto blocked = ControlServer::create(paths_, rights_, service_, clock_);
  ASSERT_FALSE(blocked);
  EXPECT_TRUE(std::filesystem::is_regular_file(paths_.operator_socket));
}

TEST_F(ControlServerTest, RunsOnItsThreadUntilItIsToldToEnd) {
  std::atomic<bool> stop{false};
  std::atomic<int> beats{0};
  std::thread thread([&] { server_->run(stop, [&] { ++beats; }); });
  stop = true;
  server_->wake();
  thread.join();
  EXPECT_GE(beats.load(), 0);
}

}  // namespace
}  // namespace firebreak::guard
