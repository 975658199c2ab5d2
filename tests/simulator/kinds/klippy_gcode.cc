// Klipper's G-code: one line at a time under one lock, whoever sent it.
#include <algorithm>
#include <cctype>
#include <cstdio>

#include "tests/simulator/gcode.h"
#include "tests/simulator/kinds/klippy.h"

namespace firebreak::sim {
namespace {

constexpr double kColdExtrusionCelsius = 170;

std::string upper_case(std::string text) {
  text.erase(std::min(text.find(';'), text.size()));
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  const std::size_t start = text.find_first_not_of(" \t\r");
  const std::size_t end = text.find_last_not_of(" \t\r");
  return start == std::string::npos ? std::string() : text.substr(start, end - start + 1);
}

// The value of NAME=VALUE in an extended command.
std::string extended_value(const std::string& line, const std::string& name) {
  const std::size_t at = line.find(" " + name + "=");
  if (at == std::string::npos) return {};
  const std::size_t start = at + name.size() + 2;
  return line.substr(start, std::min(line.find(' ', start), line.size()) - start);
}

bool is_one_of(const Command& command, char letter, std::initializer_list<int> numbers) {
  return command.letter == letter &&
         std::find(numbers.begin(), numbers.end(), command.number) != numbers.end();
}

}  // namespace

void Klippy::respond(const std::string& text) {
  for (const auto& [client, key] : outputs_) {
    Json message = key.is_object() ? key : Json::object();
    message["params"] = {{"response", text}};
    ways_.send(client, message);
  }
}

void Klippy::respond_error(const std::string& text) {
  std::string trimmed = text;
  while (!trimmed.empty() && trimmed.back() == '\n') trimmed.pop_back();
  const std::size_t first_end = std::min(trimmed.find('\n'), trimmed.size());
  if (first_end < trimmed.size()) {
    std::string all = "// ";
    for (const char c : trimmed) all += c == '\n' ? std::string("\n// ") : std::string(1, c);
    respond(all);
  }
  respond("!! " + trimmed.substr(0, first_end));
}

std::string Klippy::temperatures() const {
  char text[120];
  std::snprintf(text, sizeof text, "B:%.1f /%.1f T0:%.1f /%.1f", heaters_[1].smoothed, targets_[1],
                heaters_[0].smoothed, targets_[0]);
  return text;
}

void Klippy::finish_script() {
  const Script script = std::move(scripts_.front());
  scripts_.pop_front();
  answer(script.client, script.id, Json::object());
}

void Klippy::run_scripts() {
  if (running_scripts_) return;
  running_scripts_ = true;
  while (!line_runs_) {
    if (!scripts_.empty()) {
      run_next_of_script();
      continue;
    }
    const auto line = gcode_ready() ? job_.next_line() : std::nullopt;
    if (!line) break;
    try {
      run_line(*line);
    } catch (const Failure& failure) {
      respond_error(failure.text);
      job_.fail(printer_->now());
    }
  }
  running_scripts_ = false;
  const bool printing = job_.state() == PrintJob::State::printing;
  if (!printing || !job_.at_end() || line_runs_ || printer_->firmware().moving()) return;
  job_.complete(printer_->now());
  respond("Done printing file");
}

void Klippy::run_next_of_script() {
  if (scripts_.front().lines.empty()) return finish_script();
  const std::string line = scripts_.front().lines.front();
  scripts_.front().lines.pop_front();
  try {
    run_line(line);
  } catch (const Failure& failure) {
    respond_error(failure.text);
    const Script script = std::move(scripts_.front());
    scripts_.pop_front();
    refuse(script.client, script.id, failure.text);
  }
}

void Klippy::run_line(const std::string& text) {
  const std::string line = upper_case(text);
  if (line.empty()) return;
  const std::string word = line.substr(0, std::min(line.find(' '), line.size()));
  const Command command = parse_command(line);
  if (command.is('M', 112)) {
    ways_.stop_read("M112");
    return shutdown("Shutdown due to M112 command");
  }
  if (command.is('M', 105)) {
    if (state_ == KlippyState::ready || state_ == KlippyState::shutdown) respond(temperatures());
    return;
  }
  if (command.is('M', 115)) {
    return respond("// FIRMWARE_NAME:Klipper FIRMWARE_VERSION:v0.13.0-1");
  }
  if (word == "RESTART" || word == "FIRMWARE_RESTART") return restart(word[0] == 'F');
  if (!gcode_ready()) {
    throw Failure{message_ + (word == "STATUS" ? "Klipper state: Not ready" : "")};
  }
  if (run_print_command(word, text) || run_extended(word, line)) return;
  run_on_board(command, line);
}

// Lines that the board's own motion and heating carry out.
void Klippy::run_on_board(const Command& command, const std::string& line) {
  if (is_one_of(command, 'M', {104, 109, 140, 190})) {
    const bool bed = command.number == 140 || command.number == 190;
    return set_heater(heaters_[bed ? 1 : 0], command.value('S').value_or(0), line);
  }
  const bool known = is_one_of(command, 'G', {0, 1, 4, 28, 90, 91, 92}) ||
                     is_one_of(command, 'M', {18, 82, 83, 84, 106, 107, 114, 220, 221, 400});
  if (is_one_of(command, 'M', {110, 117, 204}) || is_one_of(command, 'G', {20, 21})) return;
  if (!known) return respond("// Unknown command:\"" + line.substr(0, line.find(' ')) + "\"");
  if (is_one_of(command, 'G', {0, 1})) check_move(command);
  if (command.is('G', 28)) homed_ = true;
  if (command.is('M', 114)) {
    const auto& at = printer_->firmware().motion().position();
    char text[100];
    std::snprintf(text, sizeof text, "X:%.3f Y:%.3f Z:%.3f E:%.3f", at[0], at[1], at[2], at[3]);
    return respond(text);
  }
  give_to_board(line);
}

void Klippy::give_to_board(const std::string& line) {
  line_runs_ = true;
  host_.send(line, [this] { line_runs_ = heat_wait_ = false; });
}

void Klippy::check_move(const Command& command) {
  const bool travels = command.has('X') || command.has('Y') || command.has('Z');
  if (travels && !homed_) {
    char text[100];
    std::snprintf(text, sizeof text, "Must home axis first: %.3f %.3f %.3f [0.000]",
                  command.value('X').value_or(0), command.value('Y').value_or(0),
                  command.value('Z').value_or(0));
    throw Failure{text};
  }
  const bool cold = heaters_[0].smoothed < kColdExtrusionCelsius;
  if (cold && command.value('E').value_or(0) != 0) {
    throw Failure{
        "Extrude below minimum temp\nSee the 'min_extrude_temp' config option for details"};
  }
}

void Klippy::set_heater(Heater& heater, double celsius, const std::string& line) {
  if (celsius != 0 && (celsius < heater.min_celsius || celsius > heater.max_celsius)) {
    char text[120];
    std::snprintf(text, sizeof text, "Requested temperature (%.1f) out of range (%.1f:%.1f)",
                  celsius, heater.min_celsius, heater.max_celsius);
    throw Failure{text};
  }
  targets_[heater.id == HeaterId::bed ? 1 : 0] = celsius;
  heat_wait_ = line.starts_with("M109") || line.starts_with("M190");
  next_temperature_line_ = printer_->now();
  give_to_board(line);
}

// Commands in words. False: it is none of them.
bool Klippy::run_extended(const std::string& word, const std::string& line) {
  if (word == "TURN_OFF_HEATERS") {
    targets_[0] = targets_[1] = 0;
    host_.send("M104 S0");
    give_to_board("M140 S0");
  } else if (word == "SET_HEATER_TEMPERATURE") {
    const std::string name = extended_value(line, "HEATER");
    const bool bed = name == "HEATER_BED";
    if (!bed && name != "EXTRUDER")
      throw Failure{"The value '" + name + "' is not valid for HEATER"};
    const std::string target = extended_value(line, "TARGET");
    set_heater(heaters_[bed ? 1 : 0], std::atof(target.c_str()),
               (bed ? "M140 S" : "M104 S") + (target.empty() ? "0" : target));
  } else if (word == "STATUS") {
    respond("// Klipper state: Ready");
  } else {
    return false;
  }
  return true;
}

bool Klippy::run_print_command(const std::string& word, const std::string& text) {
  const Nanos now = printer_->now();
  if (word == "PAUSE" || word == "M25") {
    job_.pause(now);
    respond("// action:paused");
  } else if (word == "RESUME" || word == "M24") {
    job_.resume(now);
    respond("// action:resumed");
  } else if (word == "CANCEL_PRINT") {
    job_.cancel(now);
    run_extended("TURN_OFF_HEATERS", "");
  } else if (word == "SDCARD_PRINT_FILE") {
    const std::size_t at = text.find('=');
    const auto file = files_.find(at == std::string::npos ? "" : text.substr(at + 1));
    if (file == files_.end()) throw Failure{"Unable to open file"};
    respond("File opened:" + file->first + " Size:" + std::to_string(file->second.size()));
    respond("File selected");
    job_.start(file->first, file->second, now);
  } else {
    return false;
  }
  return true;
}

void Klippy::start_print(const std::string& name, const std::string& gcode) {
  files_[name] = gcode;
  if (gcode_ready()) job_.start(name, gcode, printer_->now());
  run_scripts();
}

}  // namespace firebreak::sim
