// What klippy's objects show.
#include <cmath>

#include "tests/simulator/kinds/klippy.h"

namespace firebreak::sim {
namespace {

using Json = nlohmann::json;

constexpr double kFilamentArea = 2.405;  // 1.75 mm
constexpr double kHost = 100;            // the host's clock is ahead of the board's by so much

double rounded(double value, double parts) { return std::round(value * parts) / parts; }

const char* job_state(PrintJob::State state) {
  switch (state) {
    case PrintJob::State::standby: return "standby";
    case PrintJob::State::printing: return "printing";
    case PrintJob::State::paused: return "paused";
    case PrintJob::State::complete: return "complete";
    case PrintJob::State::cancelled: return "cancelled";
    case PrintJob::State::error: return "error";
  }
  return "standby";
}

Json verify_section(const VerifyHeaterConfig& config) {
  return {{"hysteresis", config.hysteresis},
          {"max_error", config.max_error},
          {"heating_gain", config.heating_gain},
          {"check_gain_time", config.check_gain_seconds}};
}

Json heater_section(double min, double max, const char* control) {
  return {{"sensor_type", "EPCOS 100K B57560G104F"},
          {"min_temp", min},
          {"max_temp", max},
          {"min_extrude_temp", 170.0},
          {"max_power", 1.0},
          {"smooth_time", 1.0},
          {"control", control},
          {"pwm_cycle_time", 0.1}};
}

}  // namespace

const char* const Klippy::kObjects[] = {
    "gcode",          "webhooks",       "configfile",   "mcu",
    "heaters",        "heater_bed",     "fan",          "gcode_move",
    "print_stats",    "virtual_sdcard", "pause_resume", "display_status",
    "stepper_enable", "motion_report",  "toolhead",     "extruder",
    "idle_timeout",   "system_stats",   nullptr};

Json Klippy::heater_object(const Heater& heater) const {
  const bool running = state_ == KlippyState::ready || state_ == KlippyState::shutdown;
  // A board that has stopped has no targets; klippy still shows those that it had set.
  const double target = running ? targets_[heater.id == HeaterId::bed ? 1 : 0] : 0;
  Json object = {{"temperature", running ? rounded(heater.smoothed, 100) : 0.0},
                 {"target", target},
                 {"power", running ? heater.power : 0.0}};
  if (heater.id == HeaterId::hotend) {
    object["can_extrude"] = heater.smoothed >= 170;
    object["pressure_advance"] = 0.0;
    object["smooth_time"] = 0.04;
    object["motion_queue"] = nullptr;
  }
  return object;
}

Json Klippy::toolhead_object() const {
  const auto& at = printer_->firmware().motion().position();
  return {{"homed_axes", homed_ ? "xyz" : ""},
          {"axis_minimum", {0.0, 0.0, 0.0, 0.0}},
          {"axis_maximum", {200.0, 200.0, 200.0, 0.0}},
          {"print_time", rounded(seconds() - kHost, 1e6)},
          {"stalls", 0},
          {"estimated_print_time", rounded(seconds() - kHost, 1e6)},
          {"extruder", "extruder"},
          {"position", {at[0], at[1], at[2], at[3]}},
          {"max_velocity", 300.0},
          {"max_accel", 3000.0},
          {"square_corner_velocity", 5.0}};
}

Json Klippy::print_stats_object() const {
  const Nanos now = printer_->now();
  return {{"filename", job_.name()},
          {"total_duration", job_.total_seconds(now)},
          {"print_duration", job_.print_seconds(now)},
          {"filament_used", 0.0},
          {"state", job_state(job_.state())},
          {"message", ""},
          {"info", {{"total_layer", nullptr}, {"current_layer", nullptr}}}};
}

Json Klippy::settings_object() const {
  Json settings = {{"mcu", {{"serial", "/dev/serial/by-id/usb-Klipper_sim"}, {"baud", 250000}}},
                   {"fan", {{"max_power", 1.0}, {"pin", "fan0"}}},
                   {"printer", {{"max_velocity", 300.0}, {"kinematics", "cartesian"}}},
                   {"idle_timeout", {{"timeout", 600.0}}}};
  settings["extruder"] = heater_section(heaters_[0].min_celsius, heaters_[0].max_celsius, "pid");
  settings["heater_bed"] =
      heater_section(heaters_[1].min_celsius, heaters_[1].max_celsius, "watermark");
  for (const Heater& heater : heaters_) {
    settings[std::string("verify_heater ") + heater.name] = verify_section(heater.verify.config());
  }
  return {{"config", Json::object()},
          {"settings", settings},
          {"warnings", Json::array()},
          {"save_config_pending", false},
          {"save_config_pending_items", Json::object()}};
}

// Objects that change by themselves.
Json Klippy::live_object(const std::string& name) const {
  const Nanos now = printer_->now();
  const auto& at = printer_->firmware().motion().position();
  const bool moving = printer_->firmware().moving();
  if (name == "motion_report") {
    return {{"live_position", {at[0], at[1], at[2], at[3]}},
            {"live_velocity", moving ? 50.0 : 0.0},
            {"live_extruder_velocity", printer_->firmware().flow() / kFilamentArea},
            {"steppers", {"extruder", "stepper_x", "stepper_y", "stepper_z"}},
            {"trapq", {"extruder", "toolhead"}}};
  }
  if (name == "virtual_sdcard") {
    return {{"file_path", job_.name().empty() ? Json() : Json("/gcodes/" + job_.name())},
            {"progress", job_.progress()},
            {"is_active", job_.state() == PrintJob::State::printing},
            {"file_position", job_.position()},
            {"file_size", job_.size()}};
  }
  if (name == "idle_timeout") {
    const bool printing = job_.state() == PrintJob::State::printing;
    return {{"state", printing ? "Printing"
                      : homed_ ? "Ready"
                               : "Idle"},
            {"printing_time", printing ? job_.total_seconds(now) : 0.0},
            {"idle_timeout", 600.0}};
  }
  if (name == "system_stats") {
    return {{"sysload", 0.25}, {"cputime", rounded(seconds() / 50, 1000)}, {"memavail", 600000}};
  }
  if (name == "mcu") {
    const Nanos heard = silent_since_.value_or(now);
    const auto ticks = static_cast<std::int64_t>(heard / std::chrono::seconds(1));
    return {
        {"mcu_version", "v0.13.0-1"},
        {"last_stats", {{"bytes_read", 1000 + 500 * ticks}, {"bytes_write", 900 + 60 * ticks}}}};
  }
  return nullptr;
}

Json Klippy::idle_object(const std::string& name) const {
  if (name == "heaters") {
    return {{"available_heaters", {"heater_bed", "extruder"}},
            {"available_sensors", {"heater_bed", "extruder"}},
            {"available_monitors", Json::array()}};
  }
  if (name == "pause_resume") return {{"is_paused", job_.state() == PrintJob::State::paused}};
  if (name == "display_status") return {{"progress", job_.progress()}, {"message", nullptr}};
  if (name == "stepper_enable") {
    return {{"steppers", {{"stepper_x", homed_}, {"stepper_y", homed_}, {"stepper_z", homed_}}}};
  }
  if (name == "gcode_move") {
    return {{"speed_factor", 1.0}, {"extrude_factor", 1.0}, {"absolute_coordinates", true}};
  }
  if (name == "gcode") return {{"commands", {{"M112", Json::object()}, {"M105", Json::object()}}}};
  return Json::object();
}

Json Klippy::object(const std::string& name) const {
  if (name == "webhooks") {
    return {{"state", klippy_state_name(state_)}, {"state_message", message_}};
  }
  if (frozen_ && frozen_->contains(name)) return frozen_->at(name);
  for (const Heater& heater : heaters_) {
    if (name == heater.name) return heater_object(heater);
  }
  if (name == "fan") return {{"speed", printer_->firmware().fan()}, {"rpm", nullptr}};
  if (name == "toolhead") return toolhead_object();
  if (name == "print_stats") return print_stats_object();
  if (name == "configfile") return settings_object();
  const Json live = live_object(name);
  return live.is_null() ? idle_object(name) : live;
}

// `objects` maps names to null (all fields) or to a list of fields.
Json Klippy::query(const Json& objects) const {
  Json status = Json::object();
  for (const auto& [name, fields] : objects.items()) {
    const Json all = object(name);
    if (!fields.is_array()) {
      status[name] = all;
      continue;
    }
    Json& some = status[name] = Json::object();
    for (const Json& field : fields) {
      if (field.is_string())
        some[field.get<std::string>()] = all.value(field.get<std::string>(), Json());
    }
  }
  return status;
}

Json Klippy::changes(Subscription& subscription) const {
  const Json now = query(subscription.objects);
  Json changed = Json::object();
  for (const auto& [name, fields] : now.items()) {
    for (const auto& [field, value] : fields.items()) {
      const Json& before = subscription.last[name];
      if (before.contains(field) && before[field] == value) continue;
      changed[name][field] = value;
    }
  }
  subscription.last = now;
  return changed;
}

}  // namespace firebreak::sim
