// A printer's line to the guard: what is told, what is obeyed, and what ends it.
#include "agent/uplink/printers/guard_line.h"

#include <unistd.h>

#include <asio/local/stream_protocol.hpp>
#include <asio/read_until.hpp>
#include <asio/streambuf.hpp>
#include <asio/write.hpp>
#include <nlohmann/json.hpp>

#include "tests/unit/uplink/uplink_bench.h"

namespace firebreak::test {
namespace {

using namespace std::chrono_literals;
using asio::local::stream_protocol;
using nlohmann::json;
using ::testing::HasSubstr;
using uplink::GuardLine;
using uplink::PrinterClient;
using uplink::PrinterEvent;
using uplink::PrinterFacts;
using uplink::PrinterHandlers;
using uplink::Reach;

/// A printer that does what it is told when the test lets it.
class HeldPrinter final : public PrinterClient {
 public:
  void start(PrinterHandlers to) override { handlers = std::move(to); }
  void stop_printer(Done done) override { stops.push_back(std::move(done)); }
  void heaters_off(Done done) override { done(true); }
  void revive(Done done) override { done(fail(ErrorCode::unavailable, "it is off")); }
  void pause(Done done) override { done(false); }
  void cancel(Done done) override { done(false); }
  void close() override { handlers = {}; }

  PrinterHandlers handlers;
  std::vector<Done> stops;
};

/// The guard's end: takes one line after the other.
class LineToTheGuard : public UplinkBench {
 protected:
  LineToTheGuard() : path(folder + "/uplink.sock"), acceptor(io), guard(io) {}
  ~LineToTheGuard() override {
    line->close();
    std::error_code ignored;
    guard.close(ignored);
    acceptor.close(ignored);
    io.restart();
    io.run_for(20ms);
  }

  /// Ends the line there is, and takes the next one.
  void listen() {
    std::error_code ignored;
    guard.close(ignored);
    heard.clear();
    buffer.consume(buffer.size());
    ::unlink(path.c_str());
    acceptor = stream_protocol::acceptor(io, stream_protocol::endpoint(path));
    acceptor.async_accept([this](std::error_code code, stream_protocol::socket socket) {
      if (code) return;
      guard = std::move(socket);
      read();
    });
  }
  void read() {
    asio::async_read_until(guard, buffer, '\n', [this](std::error_code code, std::size_t) {
      if (code) {
        ended = true;
        return;
      }
      std::istream in(&buffer);
      std::string text;
      std::getline(in, text);
      EXPECT_LE(text.size(), 4096U);
      heard.push_back(json::parse(text));
      read();
    });
  }
  void say(const std::string& text) { asio::write(guard, asio::buffer(text + "\n")); }

  /// Serving, with everything up to its first facts heard.
  void serve() {
    listen();
    line->start();
    turn_until([&] { return heard.size() == 1; }, "serve");
    say(R"({"ok":true})");
    turn_until([&] { return heard.size() == 2; }, "the first facts");
    heard.clear();
  }
  /// The next line that has this key.
  json wait_line(const char* key) {
    const auto found = [&] {
      return std::find_if(heard.begin(), heard.end(),
                          [&](const json& one) { return one.contains(key); });
    };
    turn_until([&] { return found() != heard.end(); }, key);
    return found() == heard.end() ? json() : *found();
  }
  PrinterFacts reading(double celsius) {
    PrinterFacts now;
    now.reach = Reach::ready;
    now.machine = "mk4";
    now.heaters = {{"hotend", celsius, 210, uplink::unknown_number}};
    now.measured_at = clock.now();
    return now;
  }

  const std::string path;
  stream_protocol::acceptor acceptor;
  stream_protocol::socket guard;
  asio::streambuf buffer;
  std::vector<json> heard;
  bool ended = false;
  std::shared_ptr<HeldPrinter> printer = std::make_shared<HeldPrinter>();
  std::shared_ptr<GuardLine> line = GuardLine::create(io, clock, path, "p1", "octoprint", printer);
};

TEST_F(LineToTheGuard, BeginsWithTheNameAndTheKind) {
  listen();
  line->start();
  turn_until([&] { return !heard.empty(); }, "serve");
  EXPECT_EQ(heard[0], json({{"do", "serve"}, {"printer", "p1"}, {"kind", "octoprint"}}));
}

TEST_F(LineToTheGuard, AReadingIsToldOnceWithItsAge) {
  serve();
  auto facts = reading(205);
  clock.advance(1500ms);
  printer->handlers.facts(facts);
  const auto told = wait_line("reading");
  EXPECT_EQ(told["link"], "ready");
  EXPECT_EQ(told["reading"]["age_ms"], 1500);
  EXPECT_EQ(told["reading"]["heaters"]["hotend"], json({{"celsius", 205.0}, {"target", 210.0}}));
  heard.clear();
  printer->handlers.facts(facts);
  EXPECT_FALSE(wait_line("link").contains("reading")) << "the same measurement is no news";
}

TEST_F(LineToTheGuard, ItSpeaksEvenWhenThePrinterSaysNothing) {
  serve();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(wait_line("link")["link"], "absent");
    heard.clear();
  }
}

TEST_F(LineToTheGuard, EachEventIsToldOnceInItsOrder) {
  serve();
  printer->handlers.event(PrinterEvent::thermal_fault, "heater fault");
  EXPECT_EQ(wait_line("events")["events"], json::array({"thermal_fault"}));
  EXPECT_EQ(wait_line("events")["text"], "heater fault");
  heard.clear();
  printer->handlers.event(PrinterEvent::halted, "\xff halted");
  EXPECT_EQ(wait_line("events")["events"], json::array({"halt_text"}));
}

TEST_F(LineToTheGuard, EventsWaitForALineAndAreBounded) {
  line->start();
  for (int i = 0; i < 1000; ++i) printer->handlers.event(PrinterEvent::booted, "again");
  printer->handlers.event(PrinterEvent::halted, "the last");
  listen();
  turn_until([&] { return heard.size() == 1; }, "serve");
  say(R"({"ok":true})");
  const auto told = wait_line("events");
  EXPECT_EQ(told["events"].size(), 16U);
  EXPECT_EQ(told["events"].back(), "halt_text");
}

TEST_F(LineToTheGuard, AStopIsDoneOnlyWhenThePrinterSaysSo) {
  serve();
  say(R"({"do":"stop"})");
  turn_until([&] { return printer->stops.size() == 1; }, "the stop");
  printer->stops[0](false);
  auto done = wait_line("done");
  EXPECT_EQ(done["ok"], false);
  EXPECT_THAT(done["why"], HasSubstr("not confirmed"));
  heard.clear();
  say(R"({"do":"stop"})");
  turn_until([&] { return printer->stops.size() == 2; }, "the second stop");
  printer->stops[1](true);
  done = wait_line("done");
  EXPECT_EQ(done["done"], "stop");
  EXPECT_EQ(done["ok"], true);
}

TEST_F(LineToTheGuard, OfManyStopsTwoAreUnderWayAtMost) {
  serve();
  for (int i = 0; i < 20; ++i) say(R"({"do":"stop"})");
  say(R"({"do":"heaters_off"})");
  EXPECT_EQ(wait_line("done")["done"], "heaters_off");
  EXPECT_EQ(printer->stops.size(), 2U);
  printer->stops[0](false);
  say(R"({"do":"stop"})");
  turn_until([&] { return printer->stops.size() == 3; }, "a place for the next");
}

TEST_F(LineToTheGuard, AFailureIsToldInItsWords) {
  serve();
  say(R"({"do":"revive"})");
  const auto done = wait_line("done");
  EXPECT_EQ(done["done"], "revive");
  EXPECT_EQ(done["ok"], false);
  EXPECT_EQ(done["why"], "it is off");
}

TEST_F(LineToTheGuard, WhatTheGuardDoesNotKnowIsNotObeyed) {
  serve();
  say(R"({"do":"print"})");
  say(R"({"do":7})");
  say(R"({"do":"heaters_off"})");
  EXPECT_EQ(wait_line("done")["done"], "heaters_off");
}

TEST_F(LineToTheGuard, AGuardThatSpeaksNoLinesIsLeftAndMetAgain) {
  for (const auto& junk : {std::string("no json"), std::string(5000, 'x')}) {
    serve();
    ended = false;
    say(junk);
    turn_until([&] { return ended; }, "the end of the line");
    listen();
    turn_until([&] { return heard.size() == 1; }, "the next line");
    line->close();
    line = GuardLine::create(io, clock, path, "p1", "octoprint", printer);
  }
}

TEST_F(LineToTheGuard, AfterARefusalItAsksAgain) {
  listen();
  line->start();
  turn_until([&] { return heard.size() == 1; }, "serve");
  ended = false;
  say(R"({"ok":false,"message":"no network printer p1"})");
  turn_until([&] { return ended; }, "the end of the line");
  listen();
  turn_until([&] { return heard.size() == 1 && heard[0]["do"] == "serve"; }, "the next try");
}

TEST_F(LineToTheGuard, AReadingIsToldAgainOnANewLine) {
  serve();
  printer->handlers.facts(reading(205));
  wait_line("reading");
  listen();
  turn_until([&] { return heard.size() == 1; }, "the next line");
  say(R"({"ok":true})");
  clock.advance(2s);
  EXPECT_GE(wait_line("reading")["reading"]["age_ms"], 0);
}

}  // namespace
}  // namespace firebreak::test
