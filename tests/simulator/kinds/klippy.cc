#include "tests/simulator/kinds/klippy.h"

#include <unistd.h>

#include <algorithm>

namespace firebreak::sim {
namespace {

using std::chrono::milliseconds;

// Recorded: pushes and queries come in steps of 250 ms; the ADC reports every 300 ms and is
// smoothed over 1 s; restarts take about a second until the socket is there, then 0.7 s.
constexpr Nanos kServePeriod = milliseconds(250);
constexpr Nanos kSamplePeriodOfAdc = milliseconds(300);
constexpr Nanos kCheckPeriod = std::chrono::seconds(1);
constexpr Nanos kDropDelay = milliseconds(30);
constexpr Nanos kSocketGone = milliseconds(1000);
constexpr Nanos kStartup = milliseconds(700);
constexpr Nanos kErrorAfterRestart = milliseconds(1500);
constexpr Nanos kLostAfter = milliseconds(5250);
// The microcontroller turns a heater off when klippy has not renewed it for this long.
constexpr Nanos kHeaterLease = std::chrono::seconds(3);
constexpr double kSmoothingSeconds = 1;
constexpr double kLeastPowerChange = 0.05;
constexpr int kBadReadingsAllowed = 4;

constexpr char kReady[] = "Printer is ready";
constexpr char kStarting[] =
    "\nPrinter is not ready\nThe klippy host software is attempting to connect.  Please\nretry in "
    "a few moments.\n";
constexpr char kHowToRestart[] =
    "Once the underlying issue is corrected, use the\n\"FIRMWARE_RESTART\" command to reset the "
    "firmware, reload the\nconfig, and restart the host software.\n";
constexpr char kConfigAdvice[] =
    "\n\nOnce the underlying issue is corrected, use the \"RESTART\"\ncommand to reload the config "
    "and restart the host software.\nPrinter is halted\n";
constexpr char kVerifyAdvice[] =
    "\nSee the 'verify_heater' section in docs/Config_Reference.md\nfor the parameters that "
    "control this check.\n";
constexpr char kRangeAdvice[] =
    "\n\nThis generally occurs when a heater temperature exceeds\nits configured min_temp or "
    "max_temp.";

VerifyHeaterConfig with_gain_time(VerifyHeaterConfig config, double seconds) {
  if (config.check_gain_seconds <= 0) config.check_gain_seconds = seconds;
  return config;
}

}  // namespace

const char* klippy_state_name(KlippyState state) {
  switch (state) {
    case KlippyState::startup: return "startup";
    case KlippyState::ready: return "ready";
    case KlippyState::shutdown: return "shutdown";
    case KlippyState::error: return "error";
    case KlippyState::gone: return "disconnected";
  }
  return "error";
}

const Klippy::Endpoint Klippy::kEndpoints[] = {
    {"list_endpoints", &Klippy::do_list_endpoints},
    {"info", &Klippy::do_info},
    {"emergency_stop", &Klippy::do_emergency_stop},
    {"register_remote_method", &Klippy::do_remote_method},
    {"gcode/help", &Klippy::do_help},
    {"gcode/script", &Klippy::do_script},
    {"gcode/restart", &Klippy::do_restart},
    {"gcode/firmware_restart", &Klippy::do_firmware_restart},
    {"gcode/subscribe_output", &Klippy::do_subscribe_output},
    {"objects/list", &Klippy::do_list},
    {"objects/query", &Klippy::do_query},
    {"objects/subscribe", &Klippy::do_subscribe},
    {"pause_resume/cancel", &Klippy::do_cancel},
    {"pause_resume/pause", &Klippy::do_pause},
    {"pause_resume/resume", &Klippy::do_resume},
    {"query_endstops/status", &Klippy::do_endstops},
};

Klippy::Klippy(Printer* printer, const KindSetup& setup, Ways ways)
    : printer_(printer),
      setup_(setup),
      ways_(std::move(ways)),
      host_(printer),
      host_name_(setup.host_name) {
  const Dialect& dialect = printer->config().dialect;
  heaters_.push_back({"extruder", HeaterId::hotend, 0, dialect.hotend_max_celsius,
                      VerifyHeater(with_gain_time(setup.verify_heater, 20))});
  heaters_.push_back({"heater_bed", HeaterId::bed, 0, dialect.bed_max_celsius,
                      VerifyHeater(with_gain_time(setup.verify_heater, 60))});
  begin_startup(false);
}

double Klippy::seconds() const {
  return std::chrono::duration<double>(printer_->now()).count() + 1000;
}

void Klippy::answer(int client, const Json& id, const Json& result) {
  if (client >= 0 && !id.is_null()) ways_.send(client, {{"id", id}, {"result", result}});
}

void Klippy::refuse(int client, const Json& id, const std::string& text) {
  if (client < 0 || id.is_null()) return;
  ways_.send(client, {{"id", id}, {"error", {{"error", "WebRequestError"}, {"message", text}}}});
}

void Klippy::request(int client, const Json& message) {
  if (state_ == KlippyState::gone || !message.is_object() || !message.contains("method")) return;
  const Json params = message.value("params", Json::object());
  const Json id = message.value("id", Json());
  if (!message["method"].is_string() || !params.is_object()) return;
  const std::string method = message["method"].get<std::string>();
  for (const Endpoint& endpoint : kEndpoints) {
    if (method == endpoint.name) return (this->*endpoint.handler)(client, id, params);
  }
  refuse(client, id, "webhooks: No registered callback for path '" + method + "'");
}

void Klippy::forget(int client) {
  subscriptions_.erase(client);
  outputs_.erase(client);
  std::erase_if(queries_, [client](const Query& query) { return query.client == client; });
  for (Script& script : scripts_) {
    if (script.client == client) script.client = -1;
  }
}

void Klippy::do_list_endpoints(int client, const Json& id, const Json&) {
  Json names = Json::array();
  for (const Endpoint& endpoint : kEndpoints) names.push_back(endpoint.name);
  answer(client, id, {{"endpoints", names}});
}

Klippy::Json Klippy::info() const {
  return {{"state", klippy_state_name(state_)},
          {"state_message", message_},
          {"hostname", host_name_},
          {"klipper_path", "/home/pi/klipper"},
          {"python_path", "/usr/bin/python3"},
          {"process_id", ::getpid()},
          {"user_id", 1000},
          {"group_id", 1000},
          {"log_file", "/home/pi/printer_data/logs/klippy.log"},
          {"config_file", "/home/pi/printer_data/config/printer.cfg"},
          {"software_version", "v0.13.0-1"},
          {"cpu_info", "4 core ARMv7"}};
}

void Klippy::do_info(int client, const Json& id, const Json&) { answer(client, id, info()); }

void Klippy::do_emergency_stop(int client, const Json& id, const Json&) {
  ways_.stop_read("emergency_stop");
  shutdown("Shutdown due to webhooks request");
  answer(client, id, Json::object());
}

void Klippy::do_remote_method(int client, const Json& id, const Json&) {
  refuse(client, id, "Missing Argument [remote_method]");
}

void Klippy::do_help(int client, const Json& id, const Json&) {
  answer(client, id,
         {{"RESTART", "Reload config file and restart host software"},
          {"FIRMWARE_RESTART", "Restart firmware, host, and reload config"},
          {"TURN_OFF_HEATERS", "Turn off all heaters"},
          {"PAUSE", "Pauses the current print"},
          {"RESUME", "Resumes the print from a pause"},
          {"CANCEL_PRINT", "G-Code macro"}});
}

void Klippy::do_restart(int client, const Json& id, const Json&) {
  answer(client, id, Json::object());
  restart(false);
}

void Klippy::do_firmware_restart(int client, const Json& id, const Json&) {
  answer(client, id, Json::object());
  restart(true);
}

void Klippy::do_subscribe_output(int client, const Json& id, const Json& params) {
  outputs_[client] = params.value("response_template", Json::object());
  answer(client, id, Json::object());
}

void Klippy::do_list(int client, const Json& id, const Json&) {
  Json names = Json::array();
  for (const char* const* name = kObjects; *name != nullptr; ++name) names.push_back(*name);
  answer(client, id, {{"objects", names}});
}

void Klippy::do_query(int client, const Json& id, const Json& params) {
  if (!params.contains("objects")) return refuse(client, id, "Missing Argument [objects]");
  if (!params["objects"].is_object()) {
    return refuse(client, id, "Invalid Argument Type [objects]");
  }
  queries_.push_back({client, id, params["objects"]});
  if (printer_->now() >= next_serve_) serve_queries();
}

void Klippy::do_subscribe(int client, const Json& id, const Json& params) {
  if (!params.contains("objects")) return refuse(client, id, "Missing Argument [objects]");
  if (!params["objects"].is_object()) {
    return refuse(client, id, "Invalid Argument Type [objects]");
  }
  Subscription& own = subscriptions_[client];
  own.objects = params["objects"];
  own.key = params.value("response_template", Json::object());
  own.last = query(own.objects);
  answer(client, id, {{"eventtime", seconds()}, {"status", own.last}});
}

void Klippy::do_script(int client, const Json& id, const Json& params) {
  if (!params.contains("script")) return refuse(client, id, "Missing Argument [script]");
  if (!params["script"].is_string()) return refuse(client, id, "Invalid Argument Type [script]");
  Script script{client, id, {}};
  std::string text = params["script"].get<std::string>() + "\n";
  for (std::size_t end; (end = text.find('\n')) != std::string::npos; text.erase(0, end + 1)) {
    script.lines.push_back(text.substr(0, end));
  }
  scripts_.push_back(std::move(script));
  run_scripts();
}

void Klippy::do_pause(int client, const Json& id, const Json&) {
  do_script(client, id, {{"script", "PAUSE"}});
}

void Klippy::do_resume(int client, const Json& id, const Json&) {
  do_script(client, id, {{"script", "RESUME"}});
}

void Klippy::do_cancel(int client, const Json& id, const Json&) {
  ways_.stop_read("cancel");
  do_script(client, id, {{"script", "CANCEL_PRINT"}});
}

void Klippy::do_endstops(int client, const Json& id, const Json&) {
  answer(client, id, {{"stepper_x", "open"}, {"stepper_y", "open"}, {"stepper_z", "open"}});
}

void Klippy::enter(KlippyState state, std::string message) {
  state_ = state;
  message_ = std::move(message);
}

// What blocks a G-code command returns at once, as if it had worked (recorded: stop_during_m109).
void Klippy::shutdown(const std::string& reason) {
  if (printer_->firmware().ignores_halt()) return;
  if (!printer_->firmware().hung()) printer_->stop(reason);  // else it hears of it when it wakes
  microcontroller_down_ = true;
  if (state_ == KlippyState::error) return enter(KlippyState::shutdown, message_);
  if (state_ != KlippyState::ready && state_ != KlippyState::startup) return;
  ++epoch_;
  enter(KlippyState::shutdown, reason + "\n" + kHowToRestart + "Printer is shutdown\n");
  next_sample_ = printer_->now() + kSamplePeriodOfAdc;
  job_.fail(printer_->now());
  host_.clear();
  line_runs_ = false;
  respond("// Klipper state: Shutdown");
  if (heat_wait_) respond(temperatures());
  heat_wait_ = false;
  if (!scripts_.empty()) finish_script();
  run_scripts();
}

void Klippy::restart(bool firmware) {
  const bool stays_down = microcontroller_down_ && !firmware;
  respond("// Klipper state: Disconnect");
  enter(KlippyState::startup, kStarting);
  const std::uint64_t epoch = ++epoch_;
  const Nanos now = printer_->now();
  scripts_.clear();
  queries_.clear();
  host_.clear();
  line_runs_ = heat_wait_ = false;
  job_ = PrintJob();
  timers_.at(now + kDropDelay, [this] { ways_.drop_clients(); });
  timers_.at(now + kSocketGone, [this, epoch, stays_down] {
    if (epoch != epoch_) return;
    if (!stays_down) printer_->reset();
    ways_.listen_again();
    begin_startup(stays_down);
  });
}

void Klippy::begin_startup(bool microcontroller_is_shut_down) {
  enter(KlippyState::startup, kStarting);
  microcontroller_down_ = microcontroller_is_shut_down;
  homed_ = false;
  silent_since_.reset();
  targets_[0] = targets_[1] = 0;
  for (Heater& heater : heaters_) heater.smoothed = heater.power = 0;
  const std::uint64_t epoch = ++epoch_;
  const Nanos delay = microcontroller_is_shut_down ? kErrorAfterRestart : kStartup;
  timers_.at(printer_->now() + delay, [this, epoch, microcontroller_is_shut_down] {
    if (epoch != epoch_) return;
    next_sample_ = printer_->now() + kSamplePeriodOfAdc;
    if (!setup_.config_error.empty()) {
      return enter(KlippyState::error, setup_.config_error + kConfigAdvice);
    }
    if (microcontroller_is_shut_down) {
      return enter(KlippyState::error,
                   std::string("Can not update MCU 'mcu' config as it is shutdown\n") +
                       kHowToRestart + "Error configuring printer\n");
    }
    enter(KlippyState::ready, kReady);
    respond("// Klipper state: Ready");
  });
}

void Klippy::die() {
  ++epoch_;
  enter(KlippyState::gone, "");
  scripts_.clear();
  queries_.clear();
  subscriptions_.clear();
  outputs_.clear();
  host_.clear();
  line_runs_ = heat_wait_ = false;
  job_ = PrintJob();
  ways_.drop_clients();
  lease_until_ = printer_->now() + kHeaterLease;
}

void Klippy::start() {
  if (state_ != KlippyState::gone) return;
  lease_until_.reset();
  printer_->reset();
  ways_.listen_again();
  begin_startup(false);
}

void Klippy::was_reset() {
  if (state_ != KlippyState::ready) return;
  microcontroller_down_ = true;
  silent_since_ = printer_->now();
}

void Klippy::set_frozen(bool on) {
  frozen_.reset();
  if (!on) return;
  Json objects;
  for (const char* const* name = kObjects; *name != nullptr; ++name) objects[*name] = object(*name);
  frozen_ = objects;
}

void Klippy::sample_heaters() {
  if (silent_since_) return;
  const double part = std::chrono::duration<double>(kSamplePeriodOfAdc).count() / kSmoothingSeconds;
  for (Heater& heater : heaters_) {
    const HeaterTruth truth = printer_->truth(heater.id);
    heater.smoothed += (truth.reading_celsius - heater.smoothed) *
                       (heater.smoothed == 0 ? 1 : std::min(part, 1.0));
    const double power = truth.duty / 127.0;
    const bool off = power == 0 || state_ == KlippyState::shutdown;
    if (off || std::abs(power - heater.power) >= kLeastPowerChange) heater.power = off ? 0 : power;
    const bool bad =
        truth.reading_celsius <= heater.min_celsius || truth.reading_celsius >= heater.max_celsius;
    heater.out_of_range = bad ? heater.out_of_range + 1 : 0;
    if (heater.out_of_range < kBadReadingsAllowed || !printer_->firmware().protection()) continue;
    char text[160];
    std::snprintf(text, sizeof text, "\n\nSensor '%s' temperature %.3f not in range %.3f:%.3f",
                  heater.name, truth.reading_celsius, heater.min_celsius, heater.max_celsius);
    if (!microcontroller_down_) {
      shutdown(std::string("MCU 'mcu' shutdown: ADC out of range") + text + kRangeAdvice);
    }
  }
}

void Klippy::check_heaters() {
  if (state_ != KlippyState::ready || !printer_->firmware().protection()) return;
  for (Heater& heater : heaters_) {
    const HeaterTruth truth = printer_->truth(heater.id);
    if (!heater.verify.failed(heater.smoothed, truth.target_celsius, printer_->now())) continue;
    return shutdown(std::string("Heater ") + heater.name + " not heating at expected rate" +
                    kVerifyAdvice);
  }
}

// A board that stands still or has no power: values stay, after seconds klippy notices.
void Klippy::watch_microcontroller() {
  const FirmwareState board = printer_->firmware().state();
  const bool silent = printer_->firmware().hung() || board == FirmwareState::off;
  if (silent && !silent_since_) silent_since_ = printer_->now();
  if (!silent && silent_since_ && board != FirmwareState::booting) {
    silent_since_.reset();
    if (state_ == KlippyState::shutdown) printer_->stop("lost");
  }
  if (!silent_since_ || printer_->now() < *silent_since_ + kLostAfter) return;
  if (state_ == KlippyState::ready) shutdown("Lost communication with MCU 'mcu'");
}

void Klippy::expire_lease() {
  if (!lease_until_ || printer_->now() < *lease_until_) return;
  lease_until_.reset();
  if (printer_->firmware().hung()) return;
  printer_->stop("Missed scheduling of next digital out event");
  microcontroller_down_ = true;
}

void Klippy::serve_queries() {
  const std::vector<Query> queries = std::move(queries_);
  queries_.clear();
  next_serve_ = printer_->now() + kServePeriod;
  for (const Query& one : queries) {
    answer(one.client, one.id, {{"eventtime", seconds()}, {"status", query(one.objects)}});
  }
  for (auto& [client, subscription] : subscriptions_) {
    const Json changed = changes(subscription);
    if (changed.empty()) continue;
    Json message = subscription.key.is_object() ? subscription.key : Json::object();
    message["params"] = {{"eventtime", seconds()}, {"status", changed}};
    ways_.send(client, message);
  }
}

void Klippy::advance() {
  const Nanos now = printer_->now();
  timers_.run(now);
  host_.pump();
  expire_lease();
  if (state_ == KlippyState::gone) return;
  watch_microcontroller();
  if (now >= next_sample_ && state_ != KlippyState::startup) {
    next_sample_ = now + kSamplePeriodOfAdc;
    sample_heaters();
  }
  if (now >= next_check_) {
    next_check_ = now + kCheckPeriod;
    check_heaters();
  }
  if (heat_wait_ && now >= next_temperature_line_) {
    next_temperature_line_ = now + std::chrono::seconds(1);
    respond(temperatures());
  }
  run_scripts();
  if (now >= next_serve_ && (!queries_.empty() || !subscriptions_.empty())) serve_queries();
}

std::optional<Nanos> Klippy::next_event() const {
  const bool gone = state_ == KlippyState::gone;
  Nanos next = gone ? printer_->now() + kCheckPeriod : next_check_;
  if (!gone && state_ != KlippyState::startup) next = std::min(next, next_sample_);
  if (!queries_.empty() || !subscriptions_.empty()) next = std::min(next, next_serve_);
  if (const auto timer = timers_.next()) next = std::min(next, *timer);
  if (lease_until_) next = std::min(next, *lease_until_);
  return std::max(next, printer_->now() + milliseconds(1));
}

}  // namespace firebreak::sim
