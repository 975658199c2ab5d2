#include "tests/unit/simulator/recording.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <stdexcept>

namespace firebreak::sim::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const std::string kFolder = FIREBREAK_SOURCE_DIR "/tests/data/corpus/marlin";
// The recorder took a sample of the line every few milliseconds.
constexpr Nanos kStep = milliseconds(5);
// How much longer than in the recording an answer may take (another plant, a loaded recorder).
constexpr Nanos kPatience = seconds(60);

void replace_all(std::string* text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text->find(from, at)) != std::string::npos; at += to.size()) {
    text->replace(at, from.size(), to);
  }
}

std::string host_bytes(std::string text) {
  constexpr std::string_view kHalf = " (no newline)";
  const bool half = text.ends_with(kHalf);
  if (half) text.erase(text.size() - kHalf.size());
  replace_all(&text, " \\n ", "\n");
  replace_all(&text, "\\n", "\n");
  replace_all(&text, "\\r", "\r");
  for (std::size_t at = 0; (at = text.find("\\x", at)) != std::string::npos; ++at) {
    const char byte = static_cast<char>(std::stoi(text.substr(at + 2, 2), nullptr, 16));
    text.replace(at, 4, 1, byte);
  }
  if (!half && !text.ends_with('\n')) text += '\n';
  return text;
}

Nanos from_seconds(double seconds) { return Nanos{static_cast<std::int64_t>(seconds * 1e9)}; }

// What a recorder's comment did to the plant.
void apply_comment(const std::string& text, Printer* printer) {
  const auto has = [&text](const char* part) { return text.find(part) != std::string::npos; };
  const auto force = [printer](HeaterId heater, double celsius) {
    printer->set_fault(Fault::sensor_forced, true, heater, celsius);
  };
  if (has("heater dies")) printer->set_fault(Fault::heater_open, true);
  if (has("switch welds on")) printer->set_fault(Fault::heater_on, true);
  if (has("hotend ADC forced to 20")) force(HeaterId::hotend, 300);
  if (has("hotend ADC forced to 1022")) force(HeaterId::hotend, -15);
  if (has("bed ADC forced to 400")) force(HeaterId::bed, 195);
  if (text.starts_with("ADC forced to 700")) force(HeaterId::hotend, 341.80);
  if (text.starts_with("ADC forced to 0")) force(HeaterId::hotend, 0);
  if (text.starts_with("ADC frozen")) printer->set_fault(Fault::sensor_frozen, true);
}

// Drives one printer and sorts what it says.
class Session {
 public:
  explicit Session(const PrinterConfig& config) : printer_(config) {}

  Printer& printer() { return printer_; }
  Nanos now() const { return printer_.now(); }
  std::size_t answers() const { return dialogue_.answers.size(); }

  void advance(Nanos time) {
    for (const Nanos end = now() + time; now() < end;) {
      printer_.advance(std::min(kStep, end - now()));
      collect();
    }
  }
  void wait_for_answers(std::size_t count, Nanos limit) {
    while (answers() < count && now() < limit) advance(kStep);
  }
  void send(const std::string& bytes) {
    printer_.receive(bytes);
    collect();
  }
  Dialogue take() { return std::move(dialogue_); }

 private:
  void collect() {
    text_ += printer_.take_output();
    for (std::size_t end; (end = text_.find('\n')) != std::string::npos;) {
      std::string line = text_.substr(0, end);
      text_.erase(0, end + 1);
      replace_all(&line, "\r", "\\r");
      add_line(line, &dialogue_);
    }
  }

 public:
  static void add_line(const std::string& line, Dialogue* dialogue) {
    static const std::regex shape(
        R"( T:-?\d+\.\d\d /\d+\.\d\d B:-?\d+\.\d\d /\d+\.\d\d @:\d+ B@:\d+( W:(\?|\d+))?)");
    if (dialogue->before.empty()) dialogue->before.emplace_back();
    ByClock& here = dialogue->before.back();
    switch (class_of(line)) {
      case LineClass::answer:
        dialogue->answers.push_back(without_measurements(line));
        dialogue->before.emplace_back();
        return;
      case LineClass::report: ++here.reports, ++dialogue->reports; break;
      case LineClass::wait_report:
        ++here.wait_reports, ++dialogue->wait_reports;
        if (!dialogue->countdown.ends_with(line.back())) dialogue->countdown += line.back();
        break;
      case LineClass::busy: ++here.busy, ++dialogue->busy; return;
    }
    if (!std::regex_match(line, shape)) dialogue->malformed.push_back(line);
  }

 private:
  Printer printer_;
  std::string text_;
  Dialogue dialogue_;
};

}  // namespace

std::vector<std::string> recording_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    if (entry.path().extension() == ".log") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<RecordedLine> load_recording(const std::string& name) {
  std::ifstream file(kFolder + "/" + name + ".log");
  static const std::regex shape(R"(\s*([0-9.]+) ([<>#])(?: (.*))?)");
  std::vector<RecordedLine> lines;
  for (std::string line; std::getline(file, line);) {
    std::smatch match;
    if (!std::regex_match(line, match, shape)) continue;  // the heading
    const std::string text = match[3];
    const double time = std::stod(match[1]);
    if (match[2] == ">") {
      lines.push_back({time, RecordedLine::Kind::host, host_bytes(text)});
    } else if (match[2] == "#") {
      lines.push_back({time, RecordedLine::Kind::comment, text});
    } else if (!text.ends_with("(no newline)")) {  // cut off by the end of the recording
      lines.push_back({time, RecordedLine::Kind::printer, text});
    }
  }
  if (lines.empty()) throw std::runtime_error("no recording " + name);
  return lines;
}

LineClass class_of(const std::string& line) {
  if (line.starts_with("echo:busy: ") && !line.ends_with("\\r")) return LineClass::busy;
  if (!line.starts_with(" T:")) return LineClass::answer;
  return line.find(" W:") == std::string::npos ? LineClass::report : LineClass::wait_report;
}

std::string without_measurements(const std::string& line) {
  if (!line.starts_with("ok T:") || line.ends_with("\\r")) return line;
  static const std::regex measured(R"((T:|B:|@:)-?[0-9.]+)");
  return std::regex_replace(line, measured, "$1#");
}

Dialogue recorded_dialogue(const std::vector<RecordedLine>& lines) {
  Dialogue dialogue;
  for (const RecordedLine& line : lines) {
    if (line.kind == RecordedLine::Kind::printer) Session::add_line(line.text, &dialogue);
  }
  return dialogue;
}

Dialogue replay(const std::string& name, const std::vector<RecordedLine>& lines) {
  Session session(recorded_printer(name));
  if (name.find("heating_failed") != std::string::npos) {
    for (const HeaterId heater : kHeaters) {
      session.printer().set_fault(Fault::heater_open, true, heater);
    }
  }
  if (name.find("thermistor") != std::string::npos) {  // its converter stands at room temperature
    session.printer().set_fault(Fault::sensor_forced, true, HeaterId::hotend, 25);
  }
  std::size_t expected = 0;
  double last_seconds = 0;
  double end_seconds = 0;
  for (const RecordedLine& line : lines) {
    if (line.text.starts_with("end of output")) break;
    end_seconds = line.seconds;
    const bool answer =
        line.kind == RecordedLine::Kind::printer && class_of(line.text) == LineClass::answer;
    const Nanos gap = from_seconds(line.seconds - last_seconds);
    if (line.kind == RecordedLine::Kind::printer && !answer) continue;
    if (line.text.starts_with("plant ")) continue;
    last_seconds = line.seconds;
    if (answer) {
      ++expected;
      session.wait_for_answers(expected, session.now() + gap + kPatience);
      continue;
    }
    session.advance(gap);
    if (line.kind == RecordedLine::Kind::host) {
      session.send(line.text);
    } else {
      apply_comment(line.text, &session.printer());
    }
  }
  session.advance(from_seconds(end_seconds - last_seconds));
  return session.take();
}

PrinterConfig recorded_printer(const std::string& name) {
  PrinterConfig config;
  Dialect& dialect = config.dialect;
  const bool full = name.starts_with("ep_");
  dialect.emergency_parser = dialect.thermal_protection = full;
  dialect.lines_before_start = {"x86_64 Initialized"};
  dialect.version_line = "Marlin bugfix-2.1.x";
  dialect.firmware_name =
      std::string("Marlin bugfix-2.1.x (Nov 21 2026 ") + (full ? "11:25:21)" : "11:29:42)");
  dialect.machine_type = "SimRap 1.4";
  dialect.boot_time = milliseconds(10);
  dialect.homing_fails = true;
  dialect.homing_time = milliseconds(14460);
  dialect.motion_slowness = 1.09;  // its steppers run on a PC's timers
  if (name.find("thermistor") == std::string::npos) dialect.hotend_sensor = SensorKind::ad595;
  // 4 K/s and 90 s, 1.2 K/s and 120 s, as the corpus says.
  config.hotend = {40, 0.5, 9.5, 20, 10.0 / 90, 1, 0, 0, 0.04, 0.03};
  config.bed = {220, 10, 173.3, 200, 183.3 / 120, 1, 0, 0, 0.04, 0.03};
  return config;
}

}  // namespace firebreak::sim::test
