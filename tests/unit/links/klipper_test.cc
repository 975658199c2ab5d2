// Klippy's API socket, as it was recorded: what the session makes of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "agent/guard/links/klipper_session.h"
#include "tests/unit/links/link_fixture.h"

namespace firebreak::guard::klipper {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using ::testing::HasSubstr;

struct Recorded {
  double seconds = 0;
  char direction = '#';
  json message;
};

std::vector<Recorded> recording(const std::string& name) {
  std::ifstream file(std::string(FIREBREAK_SOURCE_DIR) + "/tests/data/corpus/klipper/" + name +
                     ".jsonl");
  std::vector<Recorded> out;
  for (std::string line; std::getline(file, line);) {
    const auto entry = json::parse(line);
    // The second connection of a recording is the one that stops; ours is the first.
    if (entry.value("conn", "a") != "a") continue;
    out.push_back({entry["t"].get<double>(), entry["dir"].get<std::string>()[0], entry["msg"]});
  }
  return out;
}

/// Klippy with the answers that it gave when it was recorded.
class KlipperSession : public ::testing::Test {
 protected:
  KlipperSession() {
    config.link = LinkKind::klipper;
    config.expected_uuid = "<path>/mcu";
    config.expected_machine = "vm";
    for (const auto& entry : recording("identify_query")) {
      if (entry.direction != '<') continue;
      const auto& result = entry.message["result"];
      if (result.contains("hostname")) info = result;
      if (result.contains("objects")) objects = result;
      if (result.contains("status") && result["status"].contains("configfile")) settings = result;
    }
  }

  void say(const json& message) {
    const auto state = json::json_pointer("/params/status/webhooks");
    if (message.contains(state)) info.update(message[state]);
    session.received(message.dump() + message_end, now);
    answer_questions();
  }

  void answer_questions() {
    for (const auto& text : session.take_output()) {
      ASSERT_EQ(text.back(), message_end);
      const auto asked = json::parse(text.substr(0, text.size() - 1));
      questions.push_back(asked["method"]);
      const int id = asked["id"];
      if (id == question::info) answer(id, info);
      if (id == question::objects) answer(id, objects);
      if (id == question::settings) answer(id, settings);
      if (id == question::subscribe) {
        subscribed = asked["params"]["objects"];
        answer(id, {{"eventtime", 1.0}, {"status", status}});
      }
      if (id == question::order) orders.push_back(asked["params"]["script"]);
    }
  }

  void answer(int id, const json& result) { say({{"id", id}, {"result", result}}); }
  void push(const json& change) { say({{"key", "status"}, {"params", {{"status", change}}}}); }

  void wait(std::chrono::milliseconds time) {
    for (; time > 0ms; time -= 100ms) {
      now += 100ms;
      session.tick(now);
      answer_questions();
    }
  }

  void connect() {
    session.opened(now);
    answer_questions();
    wait(1s);
  }

  /// Plays what klippy pushed; returns the events that were raised.
  std::uint32_t play(const std::string& name) {
    double last = 0;
    for (const auto& entry : recording(name)) {
      if (entry.seconds > last) {
        wait(std::chrono::milliseconds(static_cast<int>((entry.seconds - last) * 1000)));
        last = entry.seconds;
      }
      if (entry.direction == '#' && entry.message.is_string() &&
          entry.message.get<std::string>().starts_with("EOF")) {
        session.lost("end of file", false, now);
      }
      if (entry.direction != '<') continue;
      if (entry.message.contains("key")) say(entry.message);
      const auto& result = entry.message.value("result", json::object());
      if (result.contains("state") && result.contains("state_message")) {
        info["state"] = result["state"];
        info["state_message"] = result["state_message"];
      }
    }
    return shared.events.exchange(0);
  }

  PrinterReadings readings() {
    PrinterReadings out;
    shared.readings.load(out);
    return out;
  }
  std::string why() {
    LinkDetail detail;
    shared.detail.load(detail);
    return detail.text;
  }
  LinkState state() { return shared.link_state.load(); }

  PrinterConfig config = one_tool_printer();
  PrinterShared shared;
  NoteList notes;
  Session session{config, shared, notes};
  MonotonicTime now{100s};
  json info, objects, settings;
  json status = {{"extruder", {{"temperature", 25.0}, {"target", 0.0}, {"power", 0.0}}},
                 {"heater_bed", {{"temperature", 25.0}, {"target", 0.0}, {"power", 0.0}}},
                 {"webhooks", {{"state", "ready"}, {"state_message", "Printer is ready"}}}};
  json subscribed;
  std::vector<std::string> questions, orders;
};

TEST_F(KlipperSession, IdentifiesThePrinterAndSubscribesToTheClockOfItsBoard) {
  connect();
  EXPECT_EQ(state(), LinkState::ready);
  EXPECT_TRUE(subscribed.contains("extruder"));
  EXPECT_TRUE(subscribed.contains("heater_bed"));
  EXPECT_EQ(subscribed["toolhead"], json({"estimated_print_time"}));
  PrinterIdentity identity;
  shared.identity.load(identity);
  EXPECT_STREQ(identity.machine, "vm");
  EXPECT_STREQ(identity.uuid, "<path>/mcu");
  EXPECT_EQ(shared.events.exchange(0) & link_event::boot_banner, 0U)
      << "klippy that was up before the guard has not booted";
}

TEST_F(KlipperSession, ReadsTheLimitsOfTheFirmwareAndThatItsCheckIsKept) {
  connect();
  FirmwareLimits limits;
  shared.firmware_limits.load(limits);
  EXPECT_EQ(limits[0].max_celsius, 300);
  EXPECT_EQ(limits[1].max_celsius, 130);
  EXPECT_EQ(limits[0].verify, FirmwareLimit::Verify::kept);
  EXPECT_EQ(notes.count(LinkNote::weak_protection), 0);
}

TEST_F(KlipperSession, SaysThatACheckOfTheFirmwareIsWeakened) {
  settings["status"]["configfile"]["settings"]["verify_heater extruder"]["max_error"] = 5000.0;
  settings["status"]["configfile"]["settings"].erase("verify_heater heater_bed");
  connect();
  FirmwareLimits limits;
  shared.firmware_limits.load(limits);
  EXPECT_EQ(limits[0].verify, FirmwareLimit::Verify::weakened);
  EXPECT_EQ(limits[1].verify, FirmwareLimit::Verify::absent);
  EXPECT_THAT(notes.text(LinkNote::weak_protection), HasSubstr("extruder"));
}

TEST_F(KlipperSession, SaysThatAHeaterIsInNoProfile) {
  objects["objects"].push_back("heater_generic dryer");
  connect();
  EXPECT_THAT(notes.text(LinkNote::weak_protection), HasSubstr("heater_generic dryer"));
}

TEST_F(KlipperSession, RefusesAnotherBoardThanTheConfiguredOne) {
  config.expected_uuid = "another";
  connect();
  EXPECT_EQ(state(), LinkState::wrong_printer);
  EXPECT_NE(shared.events.load() & link_event::wrong_identity, 0U);
  push({{"extruder", {{"temperature", 99.0}}}});
  EXPECT_EQ(readings().heaters[0].celsius_at_ns, 0) << "its readings do not count";
}

TEST_F(KlipperSession, FollowsAHeatUpAsItWasRecorded) {
  connect();
  const auto events = play("subscribe_heatup");
  EXPECT_NE(events & link_event::target_positive, 0U);
  EXPECT_NE(events & link_event::duty_positive, 0U);
  const auto hotend = readings().heaters[0], bed = readings().heaters[1];
  EXPECT_GT(hotend.celsius, 37);
  EXPECT_GT(bed.celsius, 28);
  EXPECT_GT(hotend.reports, 12U);
  EXPECT_EQ(readings().bad_lines, 0U);
}

TEST_F(KlipperSession, TakesAShutdownForTheAcknowledgementAndVoidsWhatKlippyGoesOnSaying) {
  connect();
  const auto events = play("emergency_stop");
  EXPECT_NE(events & link_event::halt_text, 0U);
  EXPECT_THAT(notes.text(LinkNote::halted), HasSubstr("Shutdown due to webhooks request"));
  EXPECT_EQ(readings().heaters[0].target_celsius, 0) << "klippy still says 200";
  EXPECT_EQ(readings().heaters[0].duty, 0) << "klippy said 1";
}

TEST_F(KlipperSession, CountsATemperatureAfterAShutdownOnlyWhileItChanges) {
  connect();
  push({{"extruder", {{"temperature", 150.0}, {"target", 200.0}, {"power", 1.0}}},
        {"webhooks", {{"state", "shutdown"}, {"state_message", "MCU 'mcu' shutdown"}}}});
  EXPECT_EQ(state(), LinkState::halted);
  const auto before = readings().heaters[0].celsius_at_ns;
  for (int i = 0; i < 20; ++i) {
    wait(200ms);
    push({{"toolhead", {{"estimated_print_time", i}}}});
  }
  EXPECT_EQ(readings().heaters[0].celsius_at_ns, before) << "frozen";
  push({{"extruder", {{"temperature", 149.0}}}});
  EXPECT_GT(readings().heaters[0].celsius_at_ns, before);
}

TEST_F(KlipperSession, CountsAnUnchangedTemperatureOnceASecondWhileKlippyPushes) {
  connect();
  const auto before = readings().heaters[0].reports;
  for (int i = 0; i < 40; ++i) {
    wait(250ms);
    push({{"toolhead", {{"estimated_print_time", i}}}});
  }
  EXPECT_NEAR(readings().heaters[0].reports - before, 10, 2);
  const auto last = readings().heaters[0].celsius_at_ns;
  wait(5s);  // No push at all: the reading ages.
  EXPECT_EQ(readings().heaters[0].celsius_at_ns, last);
}

TEST_F(KlipperSession, AKlippyThatWasKilledIsAbsentAndItsReadyLaterIsABoot) {
  connect();
  play("klippy_killed");
  session.lost("connection refused", false, now);
  EXPECT_EQ(state(), LinkState::absent);
  shared.events.store(0);
  info["state"] = "startup";
  session.opened(now);
  answer_questions();
  EXPECT_EQ(state(), LinkState::opening);
  EXPECT_EQ(why(), "klippy is starting");
  EXPECT_EQ(shared.events.load() & link_event::boot_banner, 0U);
  info["state"] = "ready";
  wait(1s);
  EXPECT_NE(shared.events.load() & link_event::boot_banner, 0U);
}

TEST_F(KlipperSession, ALostBoardIsAShutdownWithItsReason) {
  connect();
  const auto events = play("mcu_lost");
  EXPECT_NE(events & link_event::halt_text, 0U);
  EXPECT_THAT(notes.text(LinkNote::halted), HasSubstr("Lost communication with MCU"));
}

TEST_F(KlipperSession, AWrongConfigurationIsAStateOfItsOwn) {
  info["state"] = "error";
  info["state_message"] = "Option 'pin' in section 'fan' must be specified\nmore";
  connect();
  EXPECT_EQ(state(), LinkState::misconfigured);
  EXPECT_EQ(why(), "Option 'pin' in section 'fan' must be specified");
}

TEST_F(KlipperSession, TakesEveryRecordingWhole) {
  for (const char* name : {"adc_out_of_range", "adc_out_of_range_idle_bed", "config_error",
                           "frozen_sensor", "identify_query", "m112_as_gcode", "print_file",
                           "stop_during_m109", "verify_heater_dead", "verify_heater_falls"}) {
    session.lost("next recording", false, now);
    connect();
    play(name);
    EXPECT_EQ(readings().bad_lines, 0U) << name;
  }
}

TEST_F(KlipperSession, CutsItsMessagesAnywhere) {
  connect();
  const std::string text =
      json({{"params", {{"status", {{"extruder", {{"temperature", 77.5}}}}}}}}).dump() +
      message_end;
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    push({{"extruder", {{"temperature", 20.0}}}});
    session.received(text.substr(0, cut), now);
    session.received(text.substr(cut), now);
    ASSERT_EQ(readings().heaters[0].celsius, 77.5F) << cut;
  }
}

TEST_F(KlipperSession, CountsDamagedMessagesAndGoesOn) {
  connect();
  for (const std::string& text :
       {std::string("{"), std::string("[]"), std::string("\xff\xfe"), std::string(40, '['),
        std::string(R"({"params":{"status":{"extruder":7,"webhooks":[1]}}})"),
        std::string(R"({"id":3,"result":{"status":{"configfile":{"settings":[]}}}})"),
        std::string(R"({"id":1e400,"result":null})")}) {
    session.received(text + message_end, now);
  }
  EXPECT_FALSE(session.broken());
  push({{"extruder", {{"temperature", 31.0}}}});
  EXPECT_EQ(readings().heaters[0].celsius, 31);
  EXPECT_GE(readings().bad_lines, 4U);
}

TEST_F(KlipperSession, AKlippyThatSaysNothingIsAbsentAndIsAskedOnce) {
  connect();
  ASSERT_EQ(shared.link_state.load(), LinkState::ready);
  int asked = 0;
  for (int i = 0; i < 39; ++i) {
    now += 100ms;
    session.tick(now);
    asked += static_cast<int>(session.take_output().size());
  }
  EXPECT_EQ(asked, 1) << "a second question behind a slow answer";
  EXPECT_EQ(shared.link_state.load(), LinkState::absent);
  LinkDetail detail;
  shared.detail.load(detail);
  EXPECT_STREQ(detail.text, "klippy does not answer");
  EXPECT_FALSE(session.silent(now));
  answer(question::info, info);
  EXPECT_EQ(shared.link_state.load(), LinkState::ready) << "it was only slow";
  now += 10001ms;
  EXPECT_TRUE(session.silent(now));
}

TEST_F(KlipperSession, AKlippyWhoseMessagesAreNoneIsAbsentToo) {
  connect();
  for (int i = 0; i < 39; ++i) {
    now += 100ms;
    session.received(std::string("{\"key\":\"\xff\xfe\"}") + message_end, now);
    session.tick(now);
  }
  EXPECT_EQ(shared.link_state.load(), LinkState::absent);
  LinkDetail detail;
  shared.detail.load(detail);
  EXPECT_STREQ(detail.text, "klippy sends what is no message");
}

TEST_F(KlipperSession, DropsAMessageThatNeverEnds) {
  connect();
  const std::string chunk(65536, 'x');
  for (int i = 0; i < 64 && !session.broken(); ++i) session.received(chunk, now);
  EXPECT_TRUE(session.broken());
}

TEST_F(KlipperSession, RevivesByFirmwareRestartAndSaysWhenItIsReady) {
  connect();
  push({{"webhooks", {{"state", "shutdown"}, {"state_message", "stopped"}}}});
  shared.link_mode.store(LinkMode::latched);
  shared.revival_request.store(1);
  questions.clear();
  wait(1s);
  EXPECT_THAT(questions, ::testing::Contains("gcode/firmware_restart"));
  EXPECT_EQ(shared.revival_done.load(), 0U);
  session.lost("klippy restarts", false, now);
  info["state"] = "ready";
  connect();
  wait(200ms);
  EXPECT_EQ(shared.revival_done.load(), 1U);
}

TEST_F(KlipperSession, GivesUpARevivalWhileTheBoardHasNoPower) {
  connect();
  info["state"] = "shutdown";
  push({{"webhooks", {{"state", "shutdown"}, {"state_message", "stopped"}}}});
  shared.revival_request.store(1);
  wait(6s);
  EXPECT_EQ(shared.revival_done.load(), 1U) << "the machine closes the relay then";
  shared.link_mode.store(LinkMode::probation);
  questions.clear();
  wait(16s);
  EXPECT_THAT(questions, ::testing::Contains("gcode/firmware_restart")) << "asked again";
}

TEST_F(KlipperSession, SendsAnOwnOrderOnceAndNoneThatIsStale) {
  connect();
  shared.commissioning.store(1);
  OwnOrder order;
  order.serial = 1;
  order.until_ns = (now + 5s).time_since_epoch().count();
  std::snprintf(order.line, sizeof(order.line), "M104 S200");
  shared.own_order.store(order);
  wait(1s);
  EXPECT_THAT(orders, ::testing::ElementsAre("M104 S200"));
  order.serial = 2;
  order.until_ns = (now - 1s).time_since_epoch().count();
  shared.own_order.store(order);
  wait(1s);
  EXPECT_EQ(orders.size(), 1U);
}

}  // namespace
}  // namespace firebreak::guard::klipper
