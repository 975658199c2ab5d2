#include "tests/simulator/kinds/octoprint.h"

#include <cstdio>
#include <cstdlib>

namespace firebreak::sim {
namespace {

constexpr std::int64_t kEpoch = 1'700'000'000;  // When its clock starts.
constexpr char kVersion[] = "1.9.3";
constexpr char kPort[] = "/dev/ttyACM0";

HttpResponse refusal(int status, const std::string& text) {
  return json_response(status, {{"error", text}});
}

HttpResponse done() {
  HttpResponse response;
  response.status = 204;
  return response;
}

HttpResponse not_operational() { return refusal(409, "Printer is not operational"); }

// A line with number and checksum, as printers demand them during a print.
std::string numbered(int number, const std::string& command) {
  const std::string text = "N" + std::to_string(number) + " " + command;
  int checksum = 0;
  for (const char c : text) checksum ^= c;
  return text + "*" + std::to_string(checksum);
}

bool number_after(const std::string& line, const char* name, HeaterReading* reading) {
  const std::size_t at = line.find(name);
  if (at == std::string::npos) return false;
  double celsius = 0;
  double target = 0;
  const char* text = line.c_str() + at + std::char_traits<char>::length(name);
  if (std::sscanf(text, "%lf /%lf", &celsius, &target) != 2) return false;
  *reading = {celsius, target, 0};
  return true;
}

}  // namespace

const OctoPrint::Route OctoPrint::kRoutes[] = {
    {"GET", "/api/version", &OctoPrint::get_version},
    {"GET", "/api/server", &OctoPrint::get_server},
    {"GET", "/api/settings", &OctoPrint::get_settings},
    {"GET", "/api/connection", &OctoPrint::get_connection},
    {"POST", "/api/connection", &OctoPrint::post_connection},
    {"GET", "/api/printer", &OctoPrint::get_printer},
    {"GET", "/api/job", &OctoPrint::get_job},
    {"POST", "/api/job", &OctoPrint::post_job},
    {"POST", "/api/printer/command", &OctoPrint::post_command},
    {"POST", "/api/printer/tool", &OctoPrint::post_tool},
    {"POST", "/api/printer/bed", &OctoPrint::post_bed},
};

OctoPrint::OctoPrint(KindContext context)
    : Kind(std::move(context)),
      http_({context_.reactor, context_.printer, &faults_, &requests_, ""},
            [this](const HttpRequest& request, HttpServer::Reply reply) { reply(serve(request)); }),
      host_(context_.printer, [this](const std::string& line) { take_line(line); }) {
  connect();
}

HttpResponse OctoPrint::serve(const HttpRequest& request) {
  const std::string key = request.header("x-api-key");
  if (key.empty()) {
    return refusal(403,
                   "You don't have the permission to access the requested resource. It is either "
                   "read-protected or not readable by the server.");
  }
  if (key != setup().api_key || faults_.has("wrong_key")) return refusal(403, "Invalid API key");
  for (const Route& route : kRoutes) {
    if (request.method != route.method || request.path != route.path) continue;
    const bool json_type = request.header("content-type").starts_with("application/json");
    if (request.method == "POST" && !json_type) return refusal(400, "Expected content-type JSON");
    if (request.method == "POST" && !request.json().is_object()) {
      return refusal(400, "Malformed JSON body in request");
    }
    return (this->*route.handler)(request);
  }
  return refusal(404, "Not Found");
}

HttpResponse OctoPrint::get_version(const HttpRequest&) {
  return json_response(
      200, {{"api", "0.1"}, {"server", kVersion}, {"text", std::string("OctoPrint ") + kVersion}});
}

HttpResponse OctoPrint::get_server(const HttpRequest&) {
  return json_response(200, {{"safemode", nullptr}, {"version", kVersion}});
}

HttpResponse OctoPrint::get_settings(const HttpRequest&) {
  const std::string name = faults_.has("other_printer") ? "another" : setup().host_name;
  return json_response(200, {{"appearance", {{"name", name}}},
                             {"plugins", {{"discovery", {{"upnpUuid", "uuid-of-" + name}}}}}});
}

HttpResponse OctoPrint::get_connection(const HttpRequest&) {
  const bool connected = operational();
  Json current = {{"baudrate", connected ? Json(115200) : Json()},
                  {"port", connected ? Json(kPort) : Json()},
                  {"printerProfile", "_default"},
                  {"state", connected ? state_text() : "Closed"}};
  return json_response(200, {{"current", current},
                             {"options",
                              {{"baudratePreference", 115200},
                               {"baudrates", {250000, 115200}},
                               {"portPreference", kPort},
                               {"ports", {kPort}},
                               {"printerProfilePreference", "_default"},
                               {"printerProfiles", {{{"id", "_default"}, {"name", "Default"}}}}}}});
}

HttpResponse OctoPrint::post_connection(const HttpRequest& request) {
  const Json body = request.json();
  if (body.value("port", kPort) != kPort) return refusal(400, "port is invalid");
  const Json command = body.value("command", Json());
  if (command == "disconnect") {
    disconnect(Link::closed, "");
  } else if (command == "connect") {
    // Opening the port takes DTR down: a halted board starts anew.
    if (printer().firmware().state() == FirmwareState::halted) printer().reset();
    connect();
  } else {
    return refusal(400, "command is invalid");
  }
  return done();
}

std::string OctoPrint::state_text() const {
  switch (link_) {
    case Link::closed: return "Offline";
    case Link::connecting: return "Connecting";
    case Link::failed: return "Offline after error";
    case Link::operational: break;
  }
  if (cancelling_) return "Cancelling";
  if (job_.state() == PrintJob::State::printing) return "Printing";
  if (job_.state() == PrintJob::State::paused) return "Paused";
  return "Operational";
}

HttpResponse OctoPrint::get_printer(const HttpRequest&) {
  if (!operational()) return not_operational();
  const std::string text = state_text();
  const auto heater = [](const HeaterReading& reading) {
    return Json({{"actual", reading.celsius}, {"offset", 0}, {"target", reading.target}});
  };
  const Json flags = {{"cancelling", cancelling_},
                      {"closedOrError", false},
                      {"error", false},
                      {"finishing", false},
                      {"operational", true},
                      {"paused", text == "Paused"},
                      {"pausing", false},
                      {"printing", text == "Printing"},
                      {"ready", text == "Operational"},
                      {"resuming", false},
                      {"sdReady", false}};
  return json_response(
      200,
      {{"sd", {{"ready", false}}},
       {"state", {{"error", ""}, {"flags", flags}, {"text", text}}},
       {"temperature", {{"bed", heater(bed_)}, {"tool0", heater(tool_)}, {"history", history()}}}});
}

/// The newest temperature that the board printed, with OctoPrint's own second of it.
OctoPrint::Json OctoPrint::history() const {
  Json list = Json::array();
  if (told_second_ != 0) list.push_back({{"time", told_second_}});
  return list;
}

HttpResponse OctoPrint::get_job(const HttpRequest&) {
  const bool has_file = operational() && !job_.name().empty();
  const Json name = has_file ? Json(job_.name()) : Json();
  const Json file = {{"date", nullptr}, {"display", name},
                     {"name", name},    {"origin", has_file ? Json("local") : Json()},
                     {"path", name},    {"size", has_file ? Json(job_.size()) : Json()}};
  const bool active = job_.active();
  const Json user = has_file ? Json("_api") : Json();
  Json body = {{"job",
                {{"averagePrintTime", nullptr},
                 {"estimatedPrintTime", nullptr},
                 {"filament", nullptr},
                 {"file", file},
                 {"lastPrintTime", nullptr},
                 {"user", user}}},
               {"progress",
                {{"completion", active ? Json(100 * job_.progress()) : Json()},
                 {"filepos", active ? Json(job_.position()) : Json()},
                 {"printTime", active ? Json(job_.print_seconds(printer().now())) : Json()},
                 {"printTimeLeft", nullptr},
                 {active ? "printTimeLeftOrigin" : "printTimeOrigin", nullptr}}},
               {"state", state_text()}};
  if (!error_.empty()) body["error"] = error_;
  return json_response(200, body);
}

HttpResponse OctoPrint::post_job(const HttpRequest& request) {
  if (!operational()) return not_operational();
  const Json body = request.json();
  const Json command = body.value("command", Json());
  if (command == "pause") {
    if (!job_.active())
      return refusal(409,
                     "Printer is neither printing nor paused, 'pause' command cannot be performed");
    const std::string action = body.value("action", "toggle");
    const bool paused = job_.state() == PrintJob::State::paused;
    if (action == "resume" || (action == "toggle" && paused)) {
      job_.resume(printer().now());
    } else {
      job_.pause(printer().now());
    }
    return done();
  }
  if (command == "start" && !job_.active()) return done();  // nothing is selected
  if (command != "cancel") return refusal(400, "command is invalid");
  if (!job_.active())
    return refusal(409,
                   "Printer is neither printing nor paused, 'cancel' command cannot be performed");
  cancel();
  return done();
}

// The script after a cancelled print turns everything off, behind what the board still works on.
void OctoPrint::cancel() {
  stop_read("cancel");
  job_.cancel(printer().now());
  cancelling_ = true;
  for (const char* line : {"M84", "M104 T0 S0", "M140 S0"}) host_.send(line);
  host_.send("M106 S0", [this] { cancelling_ = false; });
}

HttpResponse OctoPrint::post_command(const HttpRequest& request) {
  if (!operational()) return not_operational();
  const Json body = request.json();
  Json commands = body.value("commands", Json::array());
  if (body.contains("command")) commands.push_back(body["command"]);
  if (!commands.is_array() || commands.empty()) return refusal(400, "command is missing");
  for (const Json& command : commands) {
    if (!command.is_string()) return refusal(400, "command is invalid");
    const std::string line = command.get<std::string>();
    if (line == "M112") {
      emergency_stop();
      break;
    }
    host_.send(line);
  }
  return done();
}

HttpResponse OctoPrint::post_tool(const HttpRequest& request) {
  if (!operational()) return not_operational();
  const Json targets = request.json().value("targets", Json::object());
  if (!targets.is_object()) return refusal(400, "targets is invalid");
  for (const auto& [tool, target] : targets.items()) {
    if (!target.is_number()) return refusal(400, "targets is invalid");
  }
  // Other tools than the first are taken and not there.
  if (targets.contains("tool0")) host_.send("M104 T0 S" + targets["tool0"].dump());
  return done();
}

HttpResponse OctoPrint::post_bed(const HttpRequest& request) {
  if (!operational()) return not_operational();
  const Json target = request.json().value("target", Json());
  if (!target.is_number()) return refusal(400, "target is invalid");
  host_.send("M140 S" + target.dump());
  return done();
}

void OctoPrint::connect() {
  if (operational()) return;
  link_ = Link::connecting;
  error_.clear();
  greeted_ = false;
}

void OctoPrint::disconnect(Link state, const std::string& error) {
  host_.clear();
  job_.fail(printer().now());
  cancelling_ = false;
  link_ = state;
  error_ = error;
}

void OctoPrint::emergency_stop() {
  stop_read("M112");
  host_.send_now("M112\n" + numbered(1, "M112") + "\nM104 T0 S0\nM140 S0\n");
  disconnect(Link::failed, "Closing serial port due to emergency stop M112.");
}

void OctoPrint::take_line(const std::string& line) {
  if (link_ != Link::operational) return;
  if (line.starts_with("Error:") && line.find("checksum") == std::string::npos) {
    return disconnect(Link::failed, line.substr(6));
  }
  if (faults_.has("frozen_values") || line.find("T:") == std::string::npos) return;
  number_after(line, "T:", &tool_);
  number_after(line, "B:", &bed_);
  told_second_ = kEpoch + printer().now() / std::chrono::seconds(1);
}

void OctoPrint::advance() {
  http_.set_running(!faults_.has("gone"));
  http_.advance();
  host_.pump();
  const bool running = printer().firmware().state() == FirmwareState::running;
  if (link_ == Link::connecting && running) {
    link_ = Link::operational;
    const Readings now = read(printer());
    tool_ = now.hotend;
    bed_ = now.bed;
  }
  if (operational() && running && !greeted_) {
    greeted_ = true;
    host_.clear();
    host_.send("M155 S2");
  }
  if (operational()) host_.feed(&job_);
}

// A board that greets in the middle of a print has lost it.
void OctoPrint::was_reset() {
  greeted_ = false;
  job_.fail(printer().now());
}

bool OctoPrint::print(const std::string& name, const std::string& gcode) {
  if (!operational() || job_.active()) return false;
  job_.start(name, gcode, printer().now());
  return true;
}

std::initializer_list<const char*> OctoPrint::own_faults() const {
  static constexpr std::initializer_list<const char*> kFaults = {
      "gone",     "silent",       "slow",         "frozen_values", "wrong_key", "redirect",
      "big_body", "endless_body", "invalid_utf8", "wrong_shape",   "cut_off",   "other_printer"};
  return kFaults;
}

OctoPrint::Json OctoPrint::own_state() const { return {{"service_state", state_text()}}; }

}  // namespace firebreak::sim
