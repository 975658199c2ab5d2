// What each kind of printer's answers mean: Moonraker and OctoPrint as recorded, PrusaLink and
// RepRapFirmware as their public documents describe them.
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "agent/uplink/printers/moonraker.h"
#include "agent/uplink/printers/octoprint.h"
#include "agent/uplink/printers/prusalink.h"
#include "agent/uplink/printers/reprapfirmware.h"
#include "tests/unit/uplink/recorded_http.h"
#include "tests/unit/uplink/uplink_bench.h"

namespace firebreak::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::IsNan;
using uplink::HeaterFacts;
using uplink::Moonraker;
using uplink::OctoPrint;
using uplink::PrinterEvent;
using uplink::PrusaLink;
using uplink::Reach;
using uplink::RepRapFirmware;

class Kinds : public UplinkBench {
 protected:
  struct Said {
    int status = 200;
    std::string body;
  };

  Kinds() {
    service.handler = [this](const ServiceRequest& request) {
      const auto path = request.target.substr(0, request.target.find('?'));
      for (const auto& key : {request.method + " " + request.target, request.method + " " + path}) {
        if (const auto found = says.find(key); found != says.end()) {
          return http_answer(found->second.status, found->second.body);
        }
      }
      return http_answer(fallback.status, fallback.body);
    };
  }

  /// The `n`th exchange of a recording that bears this title.
  static Said recorded(const std::string& file, const std::string& title, int n = 0) {
    for (const auto& exchange : recorded_http(file)) {
      if (exchange.title == title && n-- == 0) return {exchange.status, exchange.body};
    }
    ADD_FAILURE() << file << " has no " << title;
    return {};
  }

  const HeaterFacts& heater(const std::string& name) {
    for (const auto& one : facts.heaters) {
      if (one.name == name) return one;
    }
    static const HeaterFacts none;
    ADD_FAILURE() << "no heater " << name;
    return none;
  }

  Result<bool> stop() {
    std::optional<Result<bool>> stopped;
    client->stop_printer([&](Result<bool> confirmed) { stopped = confirmed; });
    turn_until([&] { return stopped.has_value(); }, "the end of the stop");
    return *stopped;
  }
  bool was_asked(const std::string& method, const std::string& target) {
    return std::any_of(service.requests.begin(), service.requests.end(), [&](const auto& request) {
      return request.method == method && request.target == target;
    });
  }

  void start_moonraker() {
    says["GET /printer/info"] = recorded("moonraker/ready.http", "GET /printer/info");
    says["GET /printer/objects/list"] =
        recorded("moonraker/ready.http", "GET /printer/objects/list");
    says["GET /printer/objects/query"] = recorded("moonraker/stop_and_faults.http", "temperatures");
    start(std::make_shared<Moonraker>(parts(2ms)));
    turn_until([&] { return facts.reach == Reach::ready; }, "a ready Moonraker");
  }
  void start_octoprint() {
    says["GET /api/version"] = recorded("octoprint/identify.http", "GET /api/version");
    says["GET /api/settings"] = recorded("octoprint/identify.http", "GET /api/settings");
    says["GET /api/printer"] = with_history("temperatures", 1000);
    start(std::make_shared<OctoPrint>(parts(2ms)));
    turn_until([&] { return facts.reach == Reach::ready; }, "a ready OctoPrint");
  }
  /// A recorded /api/printer with the history that `history=true` adds to it.
  static Said with_history(const std::string& title, int time) {
    auto said = recorded("octoprint/print_and_stop.http", title);
    auto value = json::parse(said.body);
    value["temperature"]["history"] = {{{"time", time}}};
    return {said.status, value.dump()};
  }
  void start_prusalink() {
    says["GET /api/version"] = {200, R"({"api":"2.0.0","text":"PrusaLink","firmware":"6.1.2"})"};
    says["GET /api/v1/info"] = {200, R"({"hostname":"mk4","serial":"SN1","nozzle_diameter":0.4})"};
    says["GET /api/v1/status"] = {
        200, R"({"job":{"id":129},"printer":{"state":"PRINTING","temp_bed":60.1,"target_bed":60,)"
             R"("temp_nozzle":205.5,"target_nozzle":215,"fan_print":2500}})"};
    start(std::make_shared<PrusaLink>(parts(2ms)));
    turn_until([&] { return facts.reach == Reach::ready; }, "a ready PrusaLink");
  }
  void start_duet() {
    says["GET /rr_connect"] = {200, R"({"err":0,"sessionTimeout":8000})"};
    says["GET /rr_model?key=boards&flags=vnd9"] = {
        200, R"({"result":[{"name":"Duet 3","uniqueId":"08D-1","firmwareName":"RepRapFirmware",)"
             R"("firmwareVersion":"3.5.1"}]})"};
    says["GET /rr_model?key=tools&flags=vnd9"] = {200, R"({"result":[{"heaters":[1]}]})"};
    says["GET /rr_model?key=state.status&flags=vnd9"] = {200, R"({"result":"processing"})"};
    says["GET /rr_model?key=heat&flags=vnd9"] = {
        200, R"({"result":{"bedHeaters":[0,-1],"chamberHeaters":[-1],"heaters":[)"
             R"({"current":60.5,"active":60,"standby":0,"state":"active","avgPwm":0.3},)"
             R"({"current":190,"active":210,"standby":150,"state":"standby","avgPwm":0.9}]}})"};
    start(std::make_shared<RepRapFirmware>(parts(2ms), "a b&c"));
    turn_until([&] { return facts.reach == Reach::ready; }, "a ready Duet");
  }

  std::map<std::string, Said> says;  ///< "METHOD /path?query" or "METHOD /path".
  Said fallback{404, "{}"};
};

// ---- Moonraker ----------------------------------------------------------------------------------

TEST_F(Kinds, MoonrakerIsReadAsRecorded) {
  start_moonraker();
  EXPECT_EQ(facts.machine, "vm");
  EXPECT_THAT(facts.firmware, HasSubstr("Klipper"));
  EXPECT_EQ(heater("hotend").celsius, 47.68);
  EXPECT_EQ(heater("hotend").target_celsius, 150);
  EXPECT_EQ(heater("hotend").duty, 1);
  EXPECT_EQ(heater("bed").celsius, 30.51);
  EXPECT_EQ(facts.measured_at, clock.now());
}

TEST_F(Kinds, MoonrakersFrozenValuesAfterAStopAreNoReadings) {
  start_moonraker();
  says["GET /printer/objects/query"] = recorded("moonraker/stop_and_faults.http", "at once", 2);
  clock.advance(5s);
  turn_until([&] { return facts.reach == Reach::halted; }, "the shutdown");
  EXPECT_EQ(facts.why, "Shutdown due to webhooks request");
  EXPECT_EQ(heater("hotend").target_celsius, 0) << "the target that it repeats is void";
  EXPECT_EQ(heater("hotend").duty, 0);
  EXPECT_EQ(facts.measured_at, clock.now() - 5s) << "the temperature that it repeats is old";
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].first, PrinterEvent::halted);
}

TEST_F(Kinds, MoonrakerWithoutKlippySaysSo) {
  start_moonraker();
  says["GET /printer/objects/query"] = recorded("moonraker/stop_and_faults.http", "klippy gone", 2);
  says["GET /printer/info"] = recorded("moonraker/stop_and_faults.http", "klippy gone", 0);
  next_facts();
  EXPECT_EQ(facts.reach, Reach::absent);
  EXPECT_THAT(facts.why, HasSubstr("HTTP 503"));
  EXPECT_FALSE(facts.measured_at.has_value());
}

TEST_F(Kinds, MoonrakersStopIsConfirmedByKlippysStateAlone) {
  start_moonraker();
  says["POST /printer/emergency_stop"] =
      recorded("moonraker/stop_and_faults.http", "emergency stop");
  EXPECT_EQ(stop(), false) << "klippy still says ready";
  says["GET /printer/info"] = recorded("moonraker/stop_and_faults.http", "at once", 0);
  EXPECT_EQ(stop(), true);
}

// ---- OctoPrint ----------------------------------------------------------------------------------

TEST_F(Kinds, OctoPrintIsReadAsRecorded) {
  start_octoprint();
  EXPECT_THAT(facts.firmware, HasSubstr("OctoPrint 1.9.3"));
  EXPECT_EQ(facts.machine, "OctoPrint");
  EXPECT_GT(heater("hotend").celsius, 20);
  EXPECT_GT(heater("hotend").target_celsius, 0);
  EXPECT_THAT(heater("hotend").duty, IsNan());
  EXPECT_EQ(facts.measured_at, clock.now());
}

TEST_F(Kinds, OctoPrintsRepeatedTemperatureGrowsOld) {
  start_octoprint();
  clock.advance(9s);
  next_facts();
  EXPECT_EQ(facts.measured_at, clock.now() - 9s);
  says["GET /api/printer"] = with_history("temperatures", 1009);
  next_facts();
  EXPECT_EQ(facts.measured_at, clock.now());
}

TEST_F(Kinds, OctoPrintThatHasHeardNoTemperatureHasNoReading) {
  start_octoprint();
  says["GET /api/printer"] =
      recorded("octoprint/identify.http", "GET /api/printer?history=true&limit=2");
  client->close();
  start(std::make_shared<OctoPrint>(parts(2ms)));
  next_facts();
  EXPECT_FALSE(facts.measured_at.has_value());
  EXPECT_THAT(facts.why, HasSubstr("no temperature"));
}

TEST_F(Kinds, OctoPrintAfterItsStopIsHaltedAndShowsNoTemperature) {
  start_octoprint();
  says["POST /api/printer/command"] =
      recorded("octoprint/print_and_stop.http", "M112 while printing");
  says["GET /api/job"] = recorded("octoprint/print_and_stop.http", "job at once", 1);
  EXPECT_EQ(stop(), true);
  const auto sent = std::find_if(service.requests.begin(), service.requests.end(),
                                 [](const auto& one) { return one.method == "POST"; });
  EXPECT_EQ(sent->body, R"({"command":"M112"})");
  says["GET /api/printer"] = recorded("octoprint/print_and_stop.http", "2 s later", 2);
  turn_until([&] { return facts.reach == Reach::halted; }, "the halt");
  EXPECT_THAT(facts.why, HasSubstr("emergency stop M112"));
  EXPECT_TRUE(facts.heaters.empty());
  EXPECT_FALSE(facts.measured_at.has_value());
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].first, PrinterEvent::halted);
}

TEST_F(Kinds, OctoPrintWithoutAPrinterConfirmsNoStop) {
  start_octoprint();
  // Nothing was sent to anybody: the printer may heat on.
  says["POST /api/printer/command"] = {409, R"({"error":"Printer is not operational"})"};
  for (const auto* state : {"Closed", "Offline", "Offline after error"}) {
    says["GET /api/job"] = {200, json{{"state", state}}.dump()};
    EXPECT_FALSE(stop().value_or(false)) << state;
  }
}

TEST_F(Kinds, OctoPrintThatIsStillOnlineConfirmsNoStop) {
  start_octoprint();
  says["POST /api/printer/command"] = {204, ""};
  says["GET /api/job"] = {200, R"({"state":"Printing"})"};
  EXPECT_EQ(stop(), false);
}

// ---- PrusaLink ----------------------------------------------------------------------------------

TEST_F(Kinds, PrusaLinkIsRead) {
  start_prusalink();
  EXPECT_EQ(facts.machine, "mk4");
  EXPECT_EQ(facts.uuid, "SN1");
  EXPECT_TRUE(facts.printing);
  EXPECT_EQ(heater("hotend").celsius, 205.5);
  EXPECT_EQ(heater("bed").target_celsius, 60);
  EXPECT_THAT(heater("hotend").duty, IsNan());
  EXPECT_EQ(facts.fan, 0.5);
}

TEST_F(Kinds, PrusaLinksCancelIsNeverAConfirmedStop) {
  start_prusalink();
  says["DELETE /api/v1/job/129"] = {204, ""};
  EXPECT_EQ(stop(), false);
  EXPECT_TRUE(was_asked("DELETE", "/api/v1/job/129"));
}

TEST_F(Kinds, PrusaLinkWithoutAJobHasNothingToStopAndConfirmsNothing) {
  start_prusalink();
  says["GET /api/v1/status"] = {200, R"({"printer":{"state":"IDLE","temp_nozzle":200}})"};
  turn_until([&] { return !facts.printing; }, "the idle printer");
  EXPECT_EQ(stop(), false);
}

// ---- RepRapFirmware -----------------------------------------------------------------------------

TEST_F(Kinds, RepRapFirmwareIsRead) {
  start_duet();
  EXPECT_EQ(facts.firmware, "RepRapFirmware 3.5.1");
  EXPECT_EQ(facts.machine, "Duet 3");
  EXPECT_EQ(facts.uuid, "08D-1");
  EXPECT_TRUE(facts.printing);
  EXPECT_EQ(heater("hotend").celsius, 190);
  EXPECT_EQ(heater("hotend").target_celsius, 150) << "in standby";
  EXPECT_EQ(heater("hotend").duty, 0.9);
  EXPECT_EQ(heater("bed").target_celsius, 60);
  EXPECT_EQ(facts.heaters.size(), 2U) << "-1 is no heater";
  EXPECT_TRUE(was_asked("GET", "/rr_connect?password=a%20b%26c"));
}

TEST_F(Kinds, RepRapFirmwaresStopIsConfirmedByItsStatus) {
  start_duet();
  says["GET /rr_gcode?gcode=M112"] = {200, R"({"buff":254})"};
  EXPECT_EQ(stop(), false) << "it still says processing";
  says["GET /rr_model?key=state.status&flags=vnd9"] = {200, R"({"result":"halted"})"};
  EXPECT_EQ(stop(), true);
  turn_until([&] { return facts.reach == Reach::halted; }, "the halt");
  says["GET /rr_model?key=state.status&flags=vnd9"] = {200, R"({"result":"idle"})"};
  turn_until([&] { return facts.reach == Reach::ready; }, "its return");
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].first, PrinterEvent::halted);
  EXPECT_EQ(events[1].first, PrinterEvent::booted);
}

TEST_F(Kinds, ARepRapFirmwareHeaterFaultIsTold) {
  start_duet();
  says["GET /rr_model?key=heat&flags=vnd9"] = {
      200,
      R"({"result":{"bedHeaters":[0],"heaters":[{"current":60,"active":60,"state":"fault"}]}})"};
  turn_until([&] { return !events.empty(); }, "the fault");
  EXPECT_EQ(events[0].first, PrinterEvent::thermal_fault);
  EXPECT_EQ(heater("bed").target_celsius, 0) << "a heater in fault is off";
}

TEST_F(Kinds, ARepRapFirmwareThatRefusesThePasswordSaysSo) {
  says["GET /rr_connect"] = {200, R"({"err":1})"};
  start(std::make_shared<RepRapFirmware>(parts(2ms), "wrong"));
  next_facts();
  EXPECT_EQ(facts.reach, Reach::blocked);
  EXPECT_THAT(facts.why, HasSubstr("password"));
}

// ---- all kinds ----------------------------------------------------------------------------------

class EachKind : public Kinds {
 protected:
  std::vector<std::shared_ptr<uplink::PollingClient>> one_of_each() {
    return {std::make_shared<Moonraker>(parts(1ms)), std::make_shared<OctoPrint>(parts(1ms)),
            std::make_shared<PrusaLink>(parts(1ms)),
            std::make_shared<RepRapFirmware>(parts(1ms), "secret")};
  }
  /// What a new client makes of a printer that says this to every question.
  void ask_everything(const std::shared_ptr<uplink::PollingClient>& of) {
    told = 0;
    facts = {};
    start(of);
    turn_until([&] { return told > 0; }, "a state");
    of->close();
  }
};

TEST_F(EachKind, AnswersOfAnotherShapeAreAStateInWordsAndNoReading) {
  for (const auto* body : {"[]", "{}", R"([42,"result",{"temperature":[null]}])",
                           R"({"result":42})", R"({"result":{"hostname":7,"objects":{}}})",
                           R"({"err":0,"result":[1,2]})", R"({"text":"x","printer":[]})",
                           R"({"err":0,"text":"x","result":{"hostname":"h","status":5}})"}) {
    fallback = {200, body};
    for (const auto& one : one_of_each()) {
      ask_everything(one);
      EXPECT_NE(facts.reach, Reach::ready) << body;
      EXPECT_NE(facts.why, "") << body;
      EXPECT_FALSE(facts.measured_at.has_value()) << body;
    }
  }
}

TEST_F(EachKind, APrinterWhoseAnswersLoseTheirShapeIsNoLongerReady) {
  const auto spoil = [this](const char* name) {
    ASSERT_EQ(facts.reach, Reach::ready) << name;
    says.clear();
    fallback = {200, R"([42,"result",{"temperature":[null]}])"};
    next_facts();
    EXPECT_EQ(facts.reach, Reach::misconfigured) << name;
    EXPECT_THAT(facts.why, HasSubstr("check kind and address")) << name;
    EXPECT_FALSE(facts.measured_at.has_value()) << name;
    client->close();
  };
  start_moonraker();
  spoil("moonraker");
  start_octoprint();
  spoil("octoprint");
  start_prusalink();
  spoil("prusalink");
  start_duet();
  spoil("reprapfirmware");
}

TEST_F(EachKind, APrinterThatWasExchangedIsNoticedWithoutAnOutage) {
  expected_machine = "vm";
  start_moonraker();
  auto info = json::parse(says["GET /printer/info"].body);
  info["result"]["hostname"] = "another";
  says["GET /printer/info"].body = info.dump();
  clock.advance(31s);
  turn_until([&] { return facts.reach == Reach::wrong_printer; }, "the other Moonraker");
  client->close();

  expected_machine = "mk4";
  start_prusalink();
  says["GET /api/v1/info"] = {200, R"({"hostname":"another","serial":"SN2"})"};
  clock.advance(31s);
  turn_until([&] { return facts.reach == Reach::wrong_printer; }, "the other PrusaLink");
  client->close();

  expected_machine = "Duet 3";
  start_duet();
  says["GET /rr_model?key=boards&flags=vnd9"] = {200, R"({"result":[{"name":"another"}]})"};
  clock.advance(31s);
  turn_until([&] { return facts.reach == Reach::wrong_printer; }, "the other Duet");
  client->close();

  expected_machine = "OctoPrint";
  start_octoprint();
  says["GET /api/settings"] = {200, R"({"appearance":{"name":"another"}})"};
  clock.advance(31s);
  turn_until([&] { return facts.reach == Reach::wrong_printer; }, "the other OctoPrint");
}

/// Every recording, as the answer to every question of every kind: whatever it is, it ends in a
/// state, and never in heat that nobody reported.
TEST_F(EachKind, EveryRecordedAnswerToAnyQuestionEndsInAState) {
  std::vector<Said> all;
  for (const auto* file : {"moonraker/ready.http", "moonraker/stop_and_faults.http",
                           "octoprint/identify.http", "octoprint/print_and_stop.http"}) {
    const auto exchanges = recorded_http(file);
    EXPECT_GT(exchanges.size(), 20U) << file;
    for (const auto& exchange : exchanges) all.push_back({exchange.status, exchange.body});
  }
  for (const auto* file : {"moonraker/ws.jsonl", "octoprint/push.jsonl"}) {
    std::ifstream lines(std::string(FIREBREAK_SOURCE_DIR) + "/tests/data/corpus/" + file);
    for (std::string line; std::getline(lines, line);) {
      if (all.size() < 200) all.push_back({200, json::parse(line)["msg"].dump()});
    }
  }
  for (const auto& said : all) {
    fallback = said;
    for (const auto& one : one_of_each()) {
      ask_everything(one);
      for (const auto& heater : facts.heaters) EXPECT_FALSE(heater.celsius > 300);
      EXPECT_TRUE(facts.reach == Reach::ready || !facts.why.empty());
    }
  }
}

}  // namespace
}  // namespace firebreak::test
