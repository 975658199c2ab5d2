// Klippy against every recording of the real one: the same questions, the same answers.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "tests/simulator/kinds/klippy.h"

namespace firebreak::sim::test {
namespace {

using nlohmann::json;

const std::string kFolder = std::string(FIREBREAK_SOURCE_DIR) + "/tests/data/corpus/klipper";
constexpr Nanos kStep = std::chrono::milliseconds(5);
// The recorder came when all was ready, and at some moment of the second of verify_heater.
constexpr Nanos kBefore = std::chrono::milliseconds(5600);
constexpr Nanos kBeforeDead = std::chrono::milliseconds(5300);

struct Line {
  double seconds;
  std::string direction;
  std::string connection;
  json message;
};

std::vector<Line> load(const std::string& name) {
  std::ifstream file(kFolder + "/" + name + ".jsonl");
  std::vector<Line> lines;
  for (std::string text; std::getline(file, text);) {
    const json line = json::parse(text);
    lines.push_back({line["t"], line["dir"], line.value("conn", ""), line["msg"]});
  }
  return lines;
}

// The recorded plant (the corpus' README) and printer.cfg.
PrinterConfig recorded_machine(double noise) {
  PrinterConfig config;
  KindSetup setup;
  setup.kind = "klipper";
  config.dialect.hotend_max_celsius = 300;
  config.dialect.bed_max_celsius = 130;
  config.dialect.homing_time = std::chrono::milliseconds(500);
  adapt_dialect(setup, &config.dialect);
  config.hotend = {40, 0.5, 9.5, 20, 10.0 / 90, 1, 0, 0, noise, 0};
  config.bed = {220, 10, 173.3, 200, 183.3 / 120, 1, 0, 0, noise, 0};
  return config;
}

// Numbers are the machine's, words are Klipper's.
std::string without_numbers(const std::string& text) {
  static const std::regex number(R"(-?[0-9]+(\.[0-9]+)?)");
  return std::regex_replace(text, number, "#");
}

// One line that says what an answer says, but for measured values.
std::string summary(const json& answer) {
  if (answer.contains("error")) {
    return "error " + without_numbers(answer["error"]["message"].get<std::string>());
  }
  const json& result = answer["result"];
  if (result.contains("state_message")) {
    return result["state"].get<std::string>() + " " +
           without_numbers(result["state_message"].get<std::string>());
  }
  std::string text = "result";
  if (!result.contains("status")) return result.empty() ? text + " {}" : text;
  for (const auto& [name, fields] : result["status"].items()) text += " " + name;
  if (result["status"].contains("webhooks")) {
    text += " " + without_numbers(result["status"]["webhooks"].dump());
  }
  return text;
}

// Answers by connection and id, in the order in which they came.
using Answers = std::map<std::string, std::vector<std::string>>;

class Replay {
 public:
  explicit Replay(const KindSetup& setup, double noise = 0, Nanos before = kBefore)
      : printer_(recorded_machine(noise)),
        klippy_(&printer_, setup,
                {[this](int client, const json& message) { take(client, message); },
                 [this] { drop(); }, [] {}, [this](const std::string&) { ++stops_; }}) {
    advance(before);
    start_ = printer_.now();
  }

  void play(const Line& line) {
    const Nanos until = start_ + Nanos{static_cast<std::int64_t>(line.seconds * 1e9)};
    advance(until - printer_.now());
    if (line.direction == "#" && line.message.is_string()) comment(line.message);
    if (line.direction != ">" || !line.message.is_object()) return;
    klippy_.request(client(line.connection), line.message);
  }
  void comment(const std::string& text) {
    if (text == "plant control: adc0 = 4095") fault(Fault::sensor_forced, HeaterId::hotend, 409.5);
    if (text == "plant control: adc1 = 4000") fault(Fault::sensor_forced, HeaterId::bed, 400);
    if (text == "plant control: adc0 = 600") fault(Fault::sensor_forced, HeaterId::hotend, 60);
    if (text == "plant control: weld0 = 0") fault(Fault::heater_open, HeaterId::hotend, 1);
    if (text.starts_with("MCU stopped")) fault(Fault::hung, HeaterId::hotend, 1);
    if (text.starts_with("MCU runs")) printer_.set_fault(Fault::hung, false);
    if (text.starts_with("klippy is killed")) klippy_.die();
  }
  void set_file(const std::string& name, const std::string& gcode) {
    klippy_.add_file(name, gcode);
  }

  Answers answers;
  std::set<std::string> pushed;  // objects that were ever pushed
  std::set<std::string> gcode;   // lines of output, without numbers
  int stops() const { return stops_; }
  Printer& printer() { return printer_; }

 private:
  int client(const std::string& connection) { return connection.empty() ? 1 : connection[0]; }
  void fault(Fault which, HeaterId heater, double value) {
    printer_.set_fault(which, true, heater, value);
  }
  void advance(Nanos duration) {
    const Nanos end = printer_.now() + duration;
    while (printer_.now() < end) {
      printer_.advance(std::min(kStep, end - printer_.now()));
      klippy_.advance();
    }
  }
  void drop() {
    for (const int one : {1, int{'a'}, int{'b'}}) klippy_.forget(one);
  }
  void take(int from, const json& message) {
    if (message.contains("id")) {
      const std::string connection = from == 1 ? "" : std::string(1, static_cast<char>(from));
      answers[connection + message["id"].dump()].push_back(summary(message));
    } else if (message["params"].contains("status")) {
      for (const auto& [name, fields] : message["params"]["status"].items()) pushed.insert(name);
    } else {
      gcode.insert(without_numbers(message["params"]["response"].get<std::string>()));
    }
  }

  Printer printer_;
  Klippy klippy_;
  Nanos start_{0};
  int stops_ = 0;
};

struct Recorded {
  Answers answers;
  std::set<std::string> pushed;
  std::set<std::string> gcode;
};

Recorded recorded(const std::vector<Line>& lines) {
  Recorded all;
  for (const Line& line : lines) {
    if (line.direction != "<" || !line.message.is_object()) continue;
    if (line.message.contains("id")) {
      if (!line.message["id"].is_number()) continue;
      all.answers[line.connection + line.message["id"].dump()].push_back(summary(line.message));
    } else if (line.message["params"].contains("status")) {
      for (const auto& [name, fields] : line.message["params"]["status"].items()) {
        all.pushed.insert(name);
      }
    } else {
      all.gcode.insert(without_numbers(line.message["params"]["response"].get<std::string>()));
    }
  }
  return all;
}

std::vector<std::string> names() {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    if (entry.path().extension() == ".jsonl") found.push_back(entry.path().stem().string());
  }
  std::sort(found.begin(), found.end());
  return found;
}

// What is after these times is not Klipper's answer to what was asked: a configuration that was
// mended meanwhile; a fault of the overloaded host in the middle of a print.
double end_of(const std::string& name) {
  if (name == "config_error") return 5;
  if (name == "print_file") return 37;
  // Its controller had overshot by a degree more: the sum of errors came some seconds later.
  if (name == "verify_heater_falls") return 50;
  return 1e9;
}

class KlipperRecording : public testing::TestWithParam<std::string> {};

TEST_P(KlipperRecording, IsAnsweredAsByRealKlippy) {
  std::vector<Line> lines = load(GetParam());
  std::erase_if(lines, [](const Line& line) { return line.seconds > end_of(GetParam()); });
  KindSetup setup;
  setup.kind = "klipper";
  if (GetParam() == "config_error") {
    setup.config_error = "Section 'no_such_section' is not a valid config section";
  }
  // Sums of errors must be exact; but nothing is pushed of an idle sensor without noise.
  const double noise = GetParam().find("idle") == std::string::npos ? 0 : 0.04;
  Replay replay(setup, noise, GetParam() == "verify_heater_dead" ? kBeforeDead : kBefore);
  replay.set_file("part.gcode",
                  "M140 S40\nM104 S120\nG28\nM190 S40\nM109 S120\nG1 X20 Y20 F3000\n");
  for (const Line& line : lines) replay.play(line);
  replay.play({lines.back().seconds + 1, "#", "", "what is still owed"});
  const Recorded real = recorded(lines);
  for (const auto& [question, answers] : real.answers) {
    EXPECT_EQ(replay.answers[question], answers) << "question " << question;
  }
  for (const auto& [question, answers] : replay.answers) {
    EXPECT_EQ(real.answers.count(question), 1u) << "nobody answered " << question;
  }
  for (const std::string& line : real.gcode) {
    // The recorded tree had no version.
    if (line.find("FIRMWARE_VERSION") != std::string::npos) continue;
    EXPECT_EQ(replay.gcode.count(line), 1u) << line << " was never said";
  }
  for (const std::string& name : real.pushed) {
    // Real klippy calls itself printing for half a second after any line, ours in a print only.
    if (name == "idle_timeout") continue;
    EXPECT_EQ(replay.pushed.count(name), 1u) << name << " was never pushed";
  }
}

INSTANTIATE_TEST_SUITE_P(All, KlipperRecording, testing::ValuesIn(names()),
                         [](const auto& info) { return info.param; });

TEST(Klippy, AnEmergencyStopIsSeenOnceAndEndsHeatWhileTargetsStay) {
  KindSetup setup;
  Replay replay(setup);
  replay.play(
      {0, ">", "", {{"id", 1}, {"method", "gcode/script"}, {"params", {{"script", "M104 S200"}}}}});
  replay.play({3, "#", "", "heating"});
  EXPECT_GT(replay.printer().truth(HeaterId::hotend).watts, 0);
  replay.play({3, ">", "", {{"id", 2}, {"method", "emergency_stop"}}});
  EXPECT_EQ(replay.printer().truth(HeaterId::hotend).watts, 0);
  EXPECT_EQ(replay.stops(), 1);
}

TEST(Klippy, TheBoardsLeaseEndsHeatThreeSecondsAfterKlippyDied) {
  Replay replay(KindSetup{});
  replay.play(
      {0, ">", "", {{"id", 1}, {"method", "gcode/script"}, {"params", {{"script", "M104 S200"}}}}});
  replay.play({2, "#", "", "klippy is killed"});
  replay.play({4.9, "#", "", "still"});
  EXPECT_GT(replay.printer().truth(HeaterId::hotend).watts, 0);
  replay.play({5.1, "#", "", "over"});
  EXPECT_EQ(replay.printer().truth(HeaterId::hotend).watts, 0);
}

}  // namespace
}  // namespace firebreak::sim::test
