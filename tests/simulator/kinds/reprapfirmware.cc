#include "tests/simulator/kinds/reprapfirmware.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "tests/simulator/gcode.h"

namespace firebreak::sim {
namespace {

constexpr Nanos kSessionTimeout = std::chrono::seconds(8);
constexpr char kFirmware[] = "RepRapFirmware for Duet 3 Mini 5+";
constexpr char kVersion[] = "3.5.4";

double tenth(double value) { return std::round(value * 10) / 10; }

// One step into the model: `name` or `name[2]`. Null where there is nothing.
nlohmann::json step_into(const nlohmann::json& from, const std::string& step) {
  const std::size_t bracket = std::min(step.find('['), step.size());
  nlohmann::json found = from.value(step.substr(0, bracket), nlohmann::json());
  if (bracket == step.size() || !found.is_array()) return found;
  const auto index = static_cast<std::size_t>(std::atoi(step.c_str() + bracket + 1));
  return index < found.size() ? found[index] : nlohmann::json();
}

}  // namespace

RepRapFirmware::RepRapFirmware(KindContext context)
    : Kind(std::move(context)),
      http_({context_.reactor, context_.printer, &faults_, &requests_, ""},
            [this](const HttpRequest& request, HttpServer::Reply reply) { reply(serve(request)); }),
      host_(context_.printer),
      watches_{{HeaterId::bed, "M140 S0", VerifyHeater({5, 120, 2, 60})},
               {HeaterId::hotend, "M104 S0", VerifyHeater({5, 120, 2, 20})}} {}

bool RepRapFirmware::has_session(const HttpRequest& request) {
  if (faults_.has("wrong_key")) return false;
  if (!session_until_ || printer().now() > *session_until_) return false;
  const std::string key = request.header("x-session-key");
  if (!key.empty() && key != std::to_string(session_key_)) return false;
  session_until_ = printer().now() + kSessionTimeout;
  return true;
}

HttpResponse RepRapFirmware::connect(const HttpRequest& request) {
  const auto password = request.query.find("password");
  const bool fits = password != request.query.end() && password->second == setup().password;
  if (faults_.has("wrong_key") || (!setup().password.empty() && !fits)) {
    return json_response(200, {{"err", 1}});
  }
  session_until_ = printer().now() + kSessionTimeout;
  return json_response(200, {{"err", 0},
                             {"sessionTimeout", 8000},
                             {"boardType", "duet3mini5plus"},
                             {"apiLevel", 2},
                             {"sessionKey", ++session_key_}});
}

HttpResponse RepRapFirmware::serve(const HttpRequest& request) {
  if (request.path == "/rr_connect") return connect(request);
  if (!has_session(request)) return json_response(401, {{"err", 1}});
  if (request.path == "/rr_disconnect") {
    session_until_.reset();
    return json_response(200, {{"err", 0}});
  }
  if (request.path == "/rr_model") return model(request);
  if (request.path == "/rr_gcode") return take_gcode(request);
  if (request.path == "/rr_reply") {
    HttpResponse response;
    response.type = "text/plain";
    response.body = std::exchange(replies_, {});
    return response;
  }
  return json_response(404, {{"err", 1}});
}

HttpResponse RepRapFirmware::model(const HttpRequest& request) const {
  const auto value = [&request](const char* name) {
    const auto found = request.query.find(name);
    return found == request.query.end() ? std::string() : found->second;
  };
  Json result = whole_model();
  std::string path = value("key");
  while (!path.empty() && result.is_object()) {
    const std::size_t dot = std::min(path.find('.'), path.size());
    result = step_into(result, path.substr(0, dot));
    path.erase(0, std::min(dot + 1, path.size()));
  }
  return json_response(200, {{"key", value("key")}, {"flags", value("flags")}, {"result", result}});
}

const char* RepRapFirmware::status() const {
  switch (printer().firmware().state()) {
    case FirmwareState::halted: return "halted";
    case FirmwareState::booting: return "starting";
    case FirmwareState::off: return "off";
    case FirmwareState::running: break;
  }
  if (job_.state() == PrintJob::State::printing) return "processing";
  if (job_.state() == PrintJob::State::paused) return host_.idle() ? "paused" : "pausing";
  return host_.idle() && !printer().firmware().moving() ? "idle" : "busy";
}

RepRapFirmware::Json RepRapFirmware::heater(HeaterId id) const {
  const Readings now = readings();
  const bool bed = id == HeaterId::bed;
  const HeaterReading& reading = bed ? now.bed : now.hotend;
  const Dialect& dialect = printer().config().dialect;
  const bool halted = printer().firmware().state() == FirmwareState::halted;
  const bool fault = watches_[bed ? 0 : 1].fault;
  const char* state = fault ? "fault" : halted || reading.target <= 0 ? "off" : "active";
  return {{"active", reading.target},
          {"avgPwm", reading.duty},
          {"current", tenth(reading.celsius)},
          {"max", bed ? dialect.bed_max_celsius : dialect.hotend_max_celsius},
          {"min", 0.0},
          {"maxBadReadings", 3},
          {"maxHeatingFaultTime", 5.0},
          {"maxTempExcursion", bed ? 10.0 : 15.0},
          {"monitors",
           {{{"action", 0},
             {"condition", "tooHigh"},
             {"limit", bed ? dialect.bed_max_celsius : dialect.hotend_max_celsius}}}},
          {"sensor", bed ? 0 : 1},
          {"standby", 0},
          {"state", state}};
}

RepRapFirmware::Json RepRapFirmware::job_model() const {
  const bool active = job_.active();
  const double seconds = std::round(job_.print_seconds(printer().now()));
  return {{"file", {{"fileName", active ? Json(job_.name()) : Json()}, {"size", job_.size()}}},
          {"filePosition", job_.position()},
          {"duration", active ? Json(seconds) : Json()},
          {"lastFileCancelled", job_.state() == PrintJob::State::cancelled}};
}

RepRapFirmware::Json RepRapFirmware::whole_model() const {
  const bool other = faults_.has("other_printer");
  const auto& at = printer().firmware().motion().position();
  Json axes = Json::array();
  for (int axis = 0; axis < 3; ++axis) {
    axes.push_back({{"letter", std::string(1, "XYZ"[axis])},
                    {"homed", true},
                    {"machinePosition", at[static_cast<std::size_t>(axis)]}});
  }
  const std::string id = other ? "ANOTHER-BOARD" : setup().serial;
  const std::string name = other ? "another" : setup().host_name;
  return {{"boards",
           {{{"firmwareName", kFirmware},
             {"firmwareVersion", kVersion},
             {"name", "Duet 3 Mini5plus"},
             {"uniqueId", id}}}},
          {"fans", {{{"actualValue", readings().fan}, {"rpm", -1}}}},
          {"heat",
           {{"bedHeaters", {0}},
            {"chamberHeaters", Json::array()},
            {"coldExtrudeTemperature", 160},
            {"heaters", {heater(HeaterId::bed), heater(HeaterId::hotend)}}}},
          {"job", job_model()},
          {"move", {{"axes", axes}, {"currentMove", {{"requestedSpeed", 0}}}}},
          {"network", {{"name", name}, {"hostname", name}}},
          {"seqs", {{"reply", reply_count_}, {"state", 1}, {"heat", 1}}},
          {"state",
           {{"status", status()},
            {"upTime", printer().now() / std::chrono::seconds(1)},
            {"machineMode", "FFF"},
            {"currentTool", 0}}},
          {"tools", {{{"number", 0}, {"heaters", {1}}, {"state", "active"}}}}};
}

HttpResponse RepRapFirmware::take_gcode(const HttpRequest& request) {
  const auto found = request.query.find("gcode");
  if (found == request.query.end()) return json_response(200, {{"buff", 240}, {"err", 1}});
  std::string text = found->second + "\n";
  for (std::size_t end; (end = text.find('\n')) != std::string::npos; text.erase(0, end + 1)) {
    run_line(text.substr(0, end));
  }
  return json_response(200, {{"buff", 240}});
}

void RepRapFirmware::reply(const std::string& text) {
  replies_ += text + "\n";
  ++reply_count_;
}

std::string RepRapFirmware::temperatures() const {
  const Readings now = readings();
  char text[160];
  std::snprintf(text, sizeof text, "T:%.1f /%.1f T0:%.1f /%.1f B:%.1f /%.1f", now.hotend.celsius,
                now.hotend.target, now.hotend.celsius, now.hotend.target, now.bed.celsius,
                now.bed.target);
  return text;
}

void RepRapFirmware::run_line(const std::string& line) {
  const Command command = parse_command(line);
  if (command.is('M', 112)) {
    stop_read("M112");
    if (printer().firmware().ignores_halt()) return;
    host_.clear();
    job_.cancel(printer().now());
    printer().stop("Emergency Stop! Reset the controller to continue.");
    return reply("Emergency Stop! Reset the controller to continue.");
  }
  if (command.is('M', 999)) {
    printer().reset();
    return was_reset();
  }
  if (printer().firmware().state() == FirmwareState::halted) return;
  if (command.is('M', 115)) {
    return reply(std::string("FIRMWARE_NAME: ") + kFirmware + " FIRMWARE_VERSION: " + kVersion);
  }
  if (command.is('M', 105)) return reply(temperatures());
  if (!line.empty() && !run_print_command(line)) host_.send(line);
}

bool RepRapFirmware::run_print_command(const std::string& line) {
  const Command command = parse_command(line);
  const Nanos now = printer().now();
  if (command.is('M', 25)) {
    job_.pause(now);
  } else if (command.is('M', 24)) {
    job_.resume(now);
  } else if (command.is('M', 0)) {
    // A print is cancelled only when it is paused.
    if (job_.state() != PrintJob::State::paused) {
      reply("Error: Pause the print before attempting to cancel it");
      return true;
    }
    stop_read("cancel");
    job_.cancel(now);
    host_.send("M104 S0");
    host_.send("M140 S0");
  } else {
    return false;
  }
  return true;
}

void RepRapFirmware::check_heaters() {
  if (printer().now() < next_check_) return;
  next_check_ = printer().now() + std::chrono::seconds(1);
  const Firmware& firmware = printer().firmware();
  if (firmware.state() != FirmwareState::running || firmware.hung() || !firmware.protection()) {
    return;
  }
  const Dialect& dialect = printer().config().dialect;
  for (Watch& watch : watches_) {
    const bool bed = watch.id == HeaterId::bed;
    const HeaterTruth truth = printer().truth(watch.id);
    const double limit = bed ? dialect.bed_max_celsius : dialect.hotend_max_celsius;
    const std::string name = std::string("Error: Heater ") + (bed ? "0" : "1") + " fault: ";
    std::string what;
    if (truth.reading_celsius <= 0) what = "failed to read sensor: shortCircuit";
    if (truth.reading_celsius >= limit) what = "monitor 0 was triggered";
    if (watch.verify.failed(truth.reading_celsius, truth.target_celsius, printer().now())) {
      what = "temperature rising too slowly: expected 2.00°C/sec measured 0.00°C/sec";
    }
    if (what.empty() || watch.fault) continue;
    watch.fault = true;
    job_.pause(printer().now());
    host_.clear();
    host_.send_now(std::string(watch.turn_off) + "\n");
    reply(name + what);
  }
}

void RepRapFirmware::advance() {
  const bool awake = printer().firmware().state() != FirmwareState::booting;
  http_.set_running(printer().board_power() && awake && !faults_.has("gone"));
  http_.set_answering(!printer().firmware().hung());
  http_.advance();
  host_.pump();
  check_heaters();
  host_.feed(&job_);
}

bool RepRapFirmware::print(const std::string& name, const std::string& gcode) {
  if (job_.active() || printer().firmware().state() != FirmwareState::running) return false;
  job_.start(name, gcode, printer().now());
  return true;
}

void RepRapFirmware::was_reset() {
  host_.clear();
  job_ = PrintJob();
  session_until_.reset();
  replies_.clear();
  for (Watch& watch : watches_) watch.fault = false;
}

std::initializer_list<const char*> RepRapFirmware::own_faults() const {
  static constexpr std::initializer_list<const char*> kFaults = {
      "gone",     "silent",       "slow",         "frozen_values", "wrong_key", "redirect",
      "big_body", "endless_body", "invalid_utf8", "wrong_shape",   "cut_off",   "other_printer"};
  return kFaults;
}

RepRapFirmware::Json RepRapFirmware::own_state() const { return {{"service_state", status()}}; }

}  // namespace firebreak::sim
