#include "agent/uplink/printers/bambu_client.h"

#include <gmock/gmock.h>

#include <cmath>
#include <csignal>

#include "tests/unit/bambu/test_broker.h"

namespace firebreak::uplink {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::FakePrinter;
using test::TestBroker;
using testing::HasSubstr;
using testing::Not;

constexpr seconds patience{120};

const json running = {{"gcode_state", "RUNNING"},    {"nozzle_temper", 219.5},
                      {"nozzle_target_temper", 220}, {"bed_temper", 60.0},
                      {"bed_target_temper", 60},     {"cooling_fan_speed", "15"}};
const json stopped = {
    {"gcode_state", "FAILED"}, {"nozzle_target_temper", 0}, {"bed_target_temper", 0}};

class BambuClientTest : public testing::Test {
 protected:
  BambuClientTest() {
    std::signal(SIGPIPE, SIG_IGN);
    settings.name = "p1";
    settings.kind = "bambu";
    settings.key = test::access_code;
    settings.serial = test::serial_number;
  }
  ~BambuClientTest() override {
    if (client) client->close();
    io.restart();
    io.run_for(milliseconds{50});
  }

  void connect(const TestBroker& broker) {
    settings.address = broker.address();
    client = BambuClient::create(io, clock, settings);
    PrinterHandlers handlers;
    handlers.facts = [this](const PrinterFacts& told) { facts = told; };
    handlers.event = [this](PrinterEvent event, const std::string& words) {
      events.emplace_back(event, words);
    };
    client->start(std::move(handlers));
  }

  /// Runs client and printer until it is so; the clock of the product stands still.
  template <class Condition>
  [[nodiscard]] bool until(Condition condition) {
    const auto give_up = std::chrono::steady_clock::now() + patience;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > give_up) return false;
      io.restart();
      io.run_for(milliseconds{5});
      if (printer) printer->turn();
    }
    return true;
  }
  [[nodiscard]] bool until_reach(Reach reach) {
    return until([&] { return facts.reach == reach; });
  }
  /// The same, while the product's clock goes on.
  [[nodiscard]] bool until_reach_in_time(Reach reach) {
    return until([&] {
      clock.advance(milliseconds{20});
      return facts.reach == reach;
    });
  }

  /// A connected printer that prints.
  [[nodiscard]] bool ready(const TestBroker& broker) {
    printer = std::make_unique<FakePrinter>(broker);
    connect(broker);
    if (!until([&] { return printer->count("pushall") == 1; })) return false;
    printer->status(running);
    return until_reach(Reach::ready);
  }

  PrinterClient::Done keep() {
    return [this](const Result<bool>& result) { results.push_back(result); };
  }

  asio::io_context io;
  ManualClock clock;
  PrinterSettings settings;
  std::shared_ptr<BambuClient> client;
  std::unique_ptr<FakePrinter> printer;
  PrinterFacts facts;
  std::vector<std::pair<PrinterEvent, std::string>> events;
  std::vector<Result<bool>> results;
};

TEST_F(BambuClientTest, ItIsReadyAtItsFirstReportAndIsAskedForAllOnce) {
  const TestBroker broker;
  ASSERT_TRUE(ready(broker)) << facts.why << broker.log();
  EXPECT_TRUE(facts.printing);
  ASSERT_EQ(facts.heaters.size(), 2U);
  EXPECT_EQ(facts.heaters[0].name, "hotend");
  EXPECT_EQ(facts.heaters[0].celsius, 219.5);
  EXPECT_EQ(facts.heaters[1].target_celsius, 60);
  EXPECT_TRUE(std::isnan(facts.heaters[0].duty));
  EXPECT_EQ(facts.measured_at, clock.now());
  EXPECT_FALSE(facts.protection_verified);
  clock.advance(seconds{9});
  printer->status({{"bed_temper", 59.5}});
  ASSERT_TRUE(until([&] { return facts.heaters[1].celsius == 59.5; }));
  EXPECT_EQ(facts.measured_at, clock.now());
  EXPECT_EQ(printer->count("pushall"), 1U);
  EXPECT_EQ(printer->count("get_version"), 1U);
}

TEST_F(BambuClientTest, ASilenceWhilePrintingIsAskedAboutOnce) {
  const TestBroker broker;
  ASSERT_TRUE(ready(broker));
  const auto heard_at = facts.measured_at;
  clock.advance(seconds{61});
  ASSERT_TRUE(until([&] { return printer->count("pushall") == 2; }));
  clock.advance(seconds{61});
  client->pause(keep());
  ASSERT_TRUE(until([&] { return printer->count("pause") == 1; }));
  EXPECT_LE(printer->count("pushall"), 3U) << "the order's own question and no more";
  EXPECT_EQ(facts.measured_at, heard_at);
}

TEST_F(BambuClientTest, ACertificateThatNamesAnotherPrinterIsNotToldTheAccessCode) {
  const TestBroker broker("01P00A999999999");
  connect(broker);
  ASSERT_TRUE(until_reach(Reach::wrong_printer)) << facts.why;
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].first, PrinterEvent::wrong_identity);
  EXPECT_THAT(broker.log(), Not(HasSubstr("bblp")));
  EXPECT_THAT(facts.why, Not(HasSubstr(test::access_code)));
}

TEST_F(BambuClientTest, APinnedKeyAloneDecides) {
  const TestBroker broker("any name");
  settings.public_key_pin = broker.public_key_pin();
  ASSERT_TRUE(ready(broker)) << facts.why;
}

TEST_F(BambuClientTest, AnotherKeyThanThePinnedOneIsAnotherPrinter) {
  const TestBroker broker;
  settings.public_key_pin = "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
  connect(broker);
  ASSERT_TRUE(until_reach(Reach::wrong_printer)) << "though the name is right";
}

TEST_F(BambuClientTest, AWrongAccessCodeIsBlocked) {
  const TestBroker broker;
  settings.key = "87654321";
  connect(broker);
  ASSERT_TRUE(until_reach(Reach::blocked)) << facts.why;
  EXPECT_THAT(facts.why, HasSubstr("access code"));
  EXPECT_THAT(facts.why, Not(HasSubstr("87654321")));
  EXPECT_TRUE(events.empty());
}

TEST_F(BambuClientTest, APrinterThatSaysAnotherSerialNumberIsAnotherOne) {
  const TestBroker broker;
  ASSERT_TRUE(ready(broker));
  const json module = {{"name", "ota"}, {"sn", "01S00C000000007"}, {"sw_ver", "1"}};
  printer->report(json{{"info", {{"command", "get_version"}, {"module", json::array({module})}}}});
  ASSERT_TRUE(until_reach(Reach::wrong_printer));
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].first, PrinterEvent::wrong_identity);
}

TEST_F(BambuClientTest, APrinterThatGoesIsAbsentAndReadyAgainWhenItIsBack) {
  TestBroker broker;
  ASSERT_TRUE(ready(broker));
  broker.stop();
  ASSERT_TRUE(until_reach(Reach::absent));
  client->stop_printer(keep());
  ASSERT_TRUE(until([&] { return results.size() == 1; }));
  EXPECT_FALSE(results[0]) << "nothing could be sent";
  // Several attempts that find nobody.
  for (int i = 0; i < 5; ++i) {
    clock.advance(seconds{6});
    ASSERT_TRUE(until([&] { return facts.reach == Reach::absent; }));
    io.restart();
    io.run_for(milliseconds{300});
  }
  broker.start();
  printer = std::make_unique<FakePrinter>(broker);
  ASSERT_TRUE(until_reach_in_time(Reach::opening)) << facts.why;
  EXPECT_TRUE(facts.heaters.empty()) << "what was known before is void";
  ASSERT_TRUE(until([&] { return printer->count("pushall") == 1; }));
  printer->status(running);
  ASSERT_TRUE(until_reach(Reach::ready));
}

TEST_F(BambuClientTest, AStopIsConfirmedOnlyWhenItIsReadBack) {
  const TestBroker broker;
  ASSERT_TRUE(ready(broker));
  client->stop_printer(keep());
  ASSERT_TRUE(until([&] { return printer->count("gcode_line") == 1; }));
  EXPECT_EQ(printer->count("stop"), 1U);
  printer->report(json{{"print", {{"command", "stop"}, {"result", "success"}}}});
  printer->status({{"gcode_state", "FAILED"}});
  ASSERT_TRUE(until([&] { return !facts.printing; }));
  EXPECT_TRUE(results.empty()) << "the heaters' targets still stand";
  printer->status(stopped);
  ASSERT_TRUE(until([&] { return results.size() == 1; }));
  EXPECT_TRUE(results[0].value());
}

TEST_F(BambuClientTest, EachStopIsSentAgain) {
  const TestBroker broker;
  ASSERT_TRUE(ready(broker));
  for (int i = 0; i < 5; ++i) client->stop_printer(keep());
  ASSERT_TRUE(until([&] { return printer->count("gcode_line") == 5; }));
  EXPECT_EQ(printer->count("stop"), 5U);
  EXPECT_EQ(printer->count("pushall"), 1U) << "repeated stops must not ask again and again";
  printer->status(stopped);
  ASSERT_TRUE(until([&] { return results.size() == 5; }));
}

TEST_F(BambuClientTest, FirmwareThatRefusesControlIsSaidToAndStaysReady) {
  const TestBroker broker;
  ASSERT_TRUE(ready(broker));
  client->stop_printer(keep());
  ASSERT_TRUE(until([&] { return printer->count("stop") == 1; }));
  printer->report(json{{"print", {{"command", "stop"}, {"err_code", 84033543}}}});
  ASSERT_TRUE(until([&] { return results.size() == 1; }));
  EXPECT_FALSE(results[0].value());
  EXPECT_EQ(facts.reach, Reach::ready);
  EXPECT_THAT(facts.why, HasSubstr("refuses control without developer mode: rely on the relay"));
}

TEST_F(BambuClientTest, FirmwareThatIgnoresAStopIsSaidToAfterThreeSeconds) {
  const TestBroker broker;
  ASSERT_TRUE(ready(broker));
  client->stop_printer(keep());
  ASSERT_TRUE(until([&] { return printer->count("stop") == 1; }));
  printer->status({{"nozzle_temper", 219.0}});
  ASSERT_TRUE(until([&] { return facts.heaters[0].celsius == 219.0; }));
  EXPECT_TRUE(results.empty());
  clock.advance(seconds{3});
  ASSERT_TRUE(until([&] { return results.size() == 1; }));
  EXPECT_FALSE(results[0].value());
  EXPECT_EQ(facts.reach, Reach::ready);
  EXPECT_THAT(facts.why, HasSubstr("refuses control without developer mode: rely on the relay"));
}

TEST_F(BambuClientTest, AThermalFaultIsToldOnceInWords) {
  const TestBroker broker;
  ASSERT_TRUE(ready(broker));
  const json fault = json::array({{{"attr", 0x03000100}, {"code", 0x00010003}}});
  printer->status({{"hms", fault}});
  printer->status({{"hms", fault}, {"bed_temper", 61.0}});
  ASSERT_TRUE(until([&] { return facts.heaters[1].celsius == 61.0; }));
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].first, PrinterEvent::thermal_fault);
  EXPECT_THAT(events[0].second, HasSubstr("heatbed: over temperature (HMS_0300_0100_0001_0003)"));
  EXPECT_THAT(facts.why, HasSubstr("heatbed: over temperature"));
}

TEST_F(BambuClientTest, DamagedReportsChangeNothingAndTheReadingAges) {
  const TestBroker broker;
  ASSERT_TRUE(ready(broker));
  const auto heard_at = facts.measured_at;
  clock.advance(seconds{5});
  for (const std::string& bad :
       {std::string("{\"print\":{\"command\":\"push_status\",\"nozzle_te"), std::string("\xff\xfe"),
        std::string("[]"), std::string(), std::string(200'000, ' ')}) {
    printer->report(bad);
  }
  // Comes after them, and is no push_status either.
  printer->report(json{{"print", {{"command", "stop"}, {"err_code", 84033543}}}});
  ASSERT_TRUE(until([&] { return !facts.why.empty(); }));
  EXPECT_EQ(facts.reach, Reach::ready);
  EXPECT_EQ(facts.heaters[0].celsius, 219.5);
  EXPECT_EQ(facts.measured_at, heard_at);
}

TEST_F(BambuClientTest, AMessageWithoutBoundEndsTheConnectionAndTheNextOneWorks) {
  const TestBroker broker;
  ASSERT_TRUE(ready(broker));
  printer->report(std::string(std::size_t{10} << 20, 'x'));
  ASSERT_TRUE(until_reach(Reach::absent));
  ASSERT_TRUE(until_reach_in_time(Reach::opening)) << facts.why;
  printer->status(running);
  ASSERT_TRUE(until_reach(Reach::ready));
}

TEST_F(BambuClientTest, AReportThatTheBrokerKeptFromBeforeIsNoReading) {
  const TestBroker broker;
  printer = std::make_unique<FakePrinter>(broker);
  json old = running;
  old["command"] = "push_status";
  printer->report(json{{"print", old}}.dump(), true);
  connect(broker);
  ASSERT_TRUE(until([&] { return printer->count("pushall") == 1; }));
  EXPECT_EQ(facts.reach, Reach::opening);
  EXPECT_TRUE(facts.heaters.empty());
}

TEST_F(BambuClientTest, ASerialNumberThatIsNoneIsNotAskedFor) {
  const TestBroker broker;
  settings.serial = "+";
  connect(broker);
  ASSERT_TRUE(until_reach(Reach::misconfigured));
}

TEST_F(BambuClientTest, ANameThatNobodyKnowsIsAbsent) {
  settings.address = "no-such-printer.invalid";
  client = BambuClient::create(io, clock, settings);
  std::string why;
  PrinterHandlers handlers;
  handlers.facts = [&](const PrinterFacts& told) { why = told.why; };
  client->start(std::move(handlers));
  ASSERT_TRUE(until([&] { return !why.empty(); }));
  EXPECT_THAT(why, HasSubstr("does not answer"));
}

TEST_F(BambuClientTest, ClosingAnswersWhatIsOpenAndIsSilentAfterwards) {
  const TestBroker broker;
  ASSERT_TRUE(ready(broker));
  client->stop_printer(keep());
  client->close();
  ASSERT_TRUE(until([&] { return results.size() == 1; }));
  EXPECT_FALSE(results[0]);
  facts.why = "untouched";
  printer->status(stopped);
  io.restart();
  io.run_for(milliseconds{100});
  EXPECT_EQ(facts.why, "untouched");
}

}  // namespace
}  // namespace firebreak::uplink
