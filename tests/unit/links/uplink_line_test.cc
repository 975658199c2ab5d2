// What the uplink says of a network printer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "agent/guard/links/uplink_link.h"
#include "agent/guard/links/uplink_session.h"
#include "tests/unit/links/link_fixture.h"

namespace firebreak::guard {
namespace {

using namespace std::chrono_literals;

class UplinkLine : public ::testing::Test {
 protected:
  UplinkLine() { session.opened(now); }

  bool say(const std::string& line) { return session.received(line + "\n", now); }
  PrinterReadings readings() {
    PrinterReadings out;
    shared.readings.load(out);
    return out;
  }

  PrinterConfig config = [] {
    auto printer = one_tool_printer();
    printer.link = LinkKind::network;
    printer.network = "moonraker";
    printer.expected_uuid.clear();
    printer.expected_machine.clear();
    return printer;
  }();
  PrinterShared shared;
  NoteList notes;
  UplinkSession session{config, shared, notes};
  MonotonicTime now{100s};
  const std::string reading =
      R"({"link":"ready","reading":{"age_ms":1500,"heaters":{"hotend":{"celsius":200.5,)"
      R"("target":210,"duty":0.5},"bed":{"celsius":60,"target":60}},"fan":0.25}})";
};

TEST_F(UplinkLine, GivesAReadingTheAgeThatItsSourceGaveIt) {
  ASSERT_TRUE(say(reading));
  const auto hotend = readings().heaters[0];
  EXPECT_EQ(hotend.celsius, 200.5F);
  EXPECT_EQ(hotend.target_celsius, 210);
  EXPECT_EQ(hotend.duty, 0.5F);
  EXPECT_EQ(hotend.celsius_at_ns, (now - 1500ms).time_since_epoch().count());
  EXPECT_EQ(readings().fan, 0.25F);
  EXPECT_EQ(shared.link_state.load(), LinkState::ready);
  EXPECT_NE(shared.events.load() & link_event::target_positive, 0U);
}

TEST_F(UplinkLine, LetsNoOlderAnswerLookFresh) {
  ASSERT_TRUE(say(reading));
  now += 1s;
  ASSERT_TRUE(
      say(R"({"link":"ready","reading":{"age_ms":9000,"heaters":{"hotend":{"celsius":20}}}})"));
  EXPECT_EQ(readings().heaters[0].celsius, 200.5F);
}

TEST_F(UplinkLine, CountsNoReadingWithoutAnAgeOrBeforeThePrinterIsKnown) {
  ASSERT_TRUE(
      say(R"({"link":"ready","reading":{"heaters":{"hotend":{"celsius":20,"target":0}}}})"));
  EXPECT_EQ(readings().heaters[0].celsius_at_ns, 0);
  ASSERT_TRUE(
      say(R"({"link":"opening","reading":{"age_ms":0,"heaters":{"hotend":{"celsius":20}}}})"));
  EXPECT_EQ(readings().heaters[0].celsius_at_ns, 0);
}

TEST_F(UplinkLine, HearsThePrinterOnlyInReadingsAndNotInTheUplinksOwnLines) {
  ASSERT_TRUE(say(reading));
  const auto heard = readings().line_at_ns;
  EXPECT_EQ(heard, (now - 1500ms).time_since_epoch().count());
  for (int i = 0; i < 10; ++i) {
    now += 500ms;
    ASSERT_TRUE(say(R"({"link":"halted","why":"offline after its stop"})"));
  }
  EXPECT_EQ(readings().line_at_ns, heard) << "a printer that shows nothing is silent";
}

TEST_F(UplinkLine, RefusesAnotherPrinterThanTheOneOfGuardYaml) {
  config.expected_uuid = "SN1";
  const auto with = [&](const std::string& uuid) {
    return R"({"link":"ready","identity":{"machine":"mk4","uuid":")" + uuid + R"("},)" +
           reading.substr(reading.find("\"reading\""));
  };
  ASSERT_TRUE(say(with("SN2")));
  EXPECT_EQ(shared.link_state.load(), LinkState::wrong_printer);
  EXPECT_NE(shared.events.load() & link_event::wrong_identity, 0U);
  EXPECT_EQ(readings().heaters[0].celsius_at_ns, 0) << "its readings do not count";
  ASSERT_TRUE(say(reading)) << "without an identity it is not the one either";
  EXPECT_EQ(shared.link_state.load(), LinkState::wrong_printer);
  ASSERT_TRUE(say(R"({"link":"opening"})"));
  EXPECT_EQ(shared.link_state.load(), LinkState::opening);
  ASSERT_TRUE(say(with("SN1")));
  EXPECT_EQ(shared.link_state.load(), LinkState::ready);
  EXPECT_EQ(readings().heaters[0].celsius, 200.5F);
}

TEST_F(UplinkLine, TakesAConfirmedStopForTheAcknowledgementAndASentOneForNothing) {
  ASSERT_TRUE(say(R"({"done":"stop","ok":false,"why":"sent, not confirmed"})"));
  EXPECT_EQ(shared.events.load() & link_event::halt_text, 0U);
  ASSERT_TRUE(say(R"({"done":"stop","ok":true})"));
  EXPECT_NE(shared.events.load() & link_event::halt_text, 0U);
}

TEST_F(UplinkLine, LeavesOutWhatIsOfAnotherShape) {
  for (const char* line :
       {R"({"link":7,"reading":[],"events":{},"identity":"x"})",
        R"({"link":"ready","reading":{"age_ms":"0","heaters":{"hotend":{"celsius":"hot"}}}})",
        R"({"link":"ready","reading":{"age_ms":-5,"heaters":{"hotend":{"celsius":1e9}}}})",
        R"({"link":"ready","reading":{"age_ms":0,"heaters":{"hotend":{"celsius":5000}}}})"}) {
    ASSERT_TRUE(say(line)) << line;
    EXPECT_EQ(readings().heaters[0].celsius_at_ns, 0) << line;
  }
}

TEST_F(UplinkLine, EndsAConnectionThatBreaksTheProtocol) {
  EXPECT_FALSE(say("no line"));
  EXPECT_FALSE(say("[1]"));
  EXPECT_FALSE(say(std::string(10, '[')));
  UplinkSession other(config, shared, notes);
  other.opened(now);
  EXPECT_FALSE(other.received(std::string(5000, 'x'), now));
}

TEST_F(UplinkLine, IsSilentAfterThreeSeconds) {
  ASSERT_TRUE(say(reading));
  now += 3s;
  EXPECT_FALSE(session.silent(now));
  now += 1ms;
  EXPECT_TRUE(session.silent(now));
}

TEST_F(UplinkLine, AsksForARevivalOnceAndEndsItByItself) {
  shared.revival_request.store(1);
  EXPECT_EQ(session.next_output(now), "{\"do\":\"revive\"}\n");
  EXPECT_EQ(session.next_output(now), "");
  now += 11s;
  EXPECT_EQ(session.next_output(now), "");
  EXPECT_EQ(shared.revival_done.load(), 1U);
}

TEST_F(UplinkLine, HasADescriptorForTheStopThreadOnlyWhileTheUplinkServes) {
  SystemClock clock;
  FakeKeeper keeper;
  UplinkLink link(LinkParts{config, shared, clock, keeper, notes, {}});
  std::jthread thread([&](std::stop_token stop) { link.run(stop); });
  const auto wait_for = [](auto&& condition) {
    for (int i = 0; i < 1000 && !condition(); ++i) std::this_thread::sleep_for(10ms);
    return condition();
  };
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
  EXPECT_EQ(shared.port_fd.load(), -1);
  ASSERT_TRUE(link.serve(ends[0]));
  ASSERT_TRUE(wait_for([&] { return shared.port_fd.load() >= 0; }));
  const std::string stop = "{\"do\":\"stop\"}\n";
  ASSERT_EQ(write(shared.port_fd.load(), stop.data(), stop.size()),
            static_cast<ssize_t>(stop.size()));
  pollfd readable{ends[1], POLLIN, 0};
  ASSERT_EQ(poll(&readable, 1, 10'000), 1);
  char room[64] = {};
  EXPECT_EQ(read(ends[1], room, sizeof(room)), static_cast<ssize_t>(stop.size()));
  EXPECT_EQ(room, stop);
  close(ends[1]);
  EXPECT_TRUE(wait_for([&] { return shared.port_fd.load() == -1; }));
  thread.request_stop();
  link.wake();
}

}  // namespace
}  // namespace firebreak::guard
