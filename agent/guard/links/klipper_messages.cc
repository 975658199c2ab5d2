#include "agent/guard/links/klipper_messages.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "common/base/json_nesting.h"

namespace firebreak::guard::klipper {
namespace {

using nlohmann::json;

/// {"result":{"status":{"configfile":{"settings":{SECTION:{KEY:[…]}}}}}} is 7.
constexpr int depth_max = 16;
constexpr int section_depth = 5;  ///< Of SECTION above; no other message has keys so deep.
constexpr std::size_t objects_max = 4096;
constexpr std::size_t text_bytes_max = 400;

// Klipper's defaults of [verify_heater] (its config reference): what is looser is weakened.
constexpr float default_max_error = 120;
constexpr float default_hysteresis = 5;
constexpr float default_heating_gain = 2;
constexpr float default_gain_s = 20;
constexpr float default_bed_gain_s = 60;

/// Of the settings only these sections are built: the macros of a printer are most of its
/// configuration, and what is allocated here stays locked in memory.
bool wanted_section(std::string_view name) {
  return name.starts_with("extruder") || name.starts_with("heater_") ||
         name.starts_with("verify_heater ") || name == "mcu";
}

std::optional<json> parse(std::string_view text) {
  if (text.size() > message_bytes_max || !nesting_within(text, depth_max)) return {};
  const auto keep = [](int depth, json::parse_event_t event, const json& value) {
    if (event != json::parse_event_t::key || depth != section_depth) return true;
    return wanted_section(value.get_ref<const std::string&>());
  };
  auto value = json::parse(text.begin(), text.end(), keep, false);
  if (!value.is_object()) return {};
  return value;
}

const json* find(const json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

float number(const json& object, const char* key) {
  const json* value = find(object, key);
  return value != nullptr && value->is_number() ? value->get<float>() : unknown;
}

std::string text_of(const json& object, const char* key) {
  const json* value = find(object, key);
  if (value == nullptr || !value->is_string()) return {};
  return value->get_ref<const std::string&>().substr(0, text_bytes_max);
}

void read_status(const json& status, const HeaterNames& names, Message& out) {
  out.has_status = true;
  for (std::size_t i = 0; i < names.object.size(); ++i) {
    const json* heater = names.object[i].empty() ? nullptr : find(status, names.object[i].c_str());
    if (heater == nullptr) continue;
    out.heaters[i] = {number(*heater, "temperature"), number(*heater, "target"),
                      number(*heater, "power")};
  }
  if (const json* webhooks = find(status, "webhooks")) {
    const auto state = text_of(*webhooks, "state");
    if (!state.empty()) out.state = host_state(state);
    out.state_message = text_of(*webhooks, "state_message");
  }
  if (const json* print = find(status, "print_stats")) {
    const auto state = text_of(*print, "state");
    if (!state.empty()) out.printing = state == "printing";
  }
  if (const json* fan = find(status, "fan")) out.fan = number(*fan, "speed");
  if (const json* motion = find(status, "motion_report")) {
    out.extruder_mm_per_s = number(*motion, "live_extruder_velocity");
  }
}

void read_result(const json& result, const HeaterNames& names, Message& out) {
  if (const json* status = find(result, "status")) read_status(*status, names, out);
  const auto state = text_of(result, "state");
  if (!state.empty()) {
    out.state = host_state(state);
    out.state_message = text_of(result, "state_message");
    out.software = text_of(result, "software_version");
    out.hostname = text_of(result, "hostname");
  }
  const json* objects = find(result, "objects");
  if (objects == nullptr || !objects->is_array()) return;
  for (const auto& name : *objects) {
    if (out.objects.size() == objects_max) break;
    if (name.is_string()) out.objects.push_back(name.get<std::string>());
  }
}

std::string message(int number, const char* method, json params) {
  auto text = json{{"id", number}, {"method", method}, {"params", std::move(params)}}.dump(
      -1, ' ', false, json::error_handler_t::replace);
  return text + message_end;
}

bool has(const std::vector<std::string>& objects, std::string_view name) {
  return std::find(objects.begin(), objects.end(), name) != objects.end();
}

bool is_heater(std::string_view object) {
  if (object == "heater_bed" || object.starts_with("heater_generic ")) return true;
  return object.starts_with("extruder") &&
         object.substr(8).find_first_not_of("0123456789") == std::string_view::npos;
}

FirmwareLimit limit_of(const json& settings, const std::string& heater) {
  FirmwareLimit out;
  const json* section = find(settings, heater.c_str());
  if (section == nullptr) return out;
  out.max_celsius = number(*section, "max_temp");
  const json* verify = find(settings, ("verify_heater " + heater).c_str());
  if (verify == nullptr) {
    out.verify = FirmwareLimit::Verify::absent;
    return out;
  }
  const float gain_s = heater == "heater_bed" ? default_bed_gain_s : default_gain_s;
  const bool kept = number(*verify, "max_error") <= default_max_error &&
                    number(*verify, "hysteresis") <= default_hysteresis &&
                    number(*verify, "heating_gain") >= default_heating_gain &&
                    number(*verify, "check_gain_time") <= gain_s;
  out.verify = kept ? FirmwareLimit::Verify::kept : FirmwareLimit::Verify::weakened;
  return out;
}

}  // namespace

HostState host_state(std::string_view word) noexcept {
  if (word == "startup") return HostState::startup;
  if (word == "ready") return HostState::ready;
  if (word == "shutdown") return HostState::shutdown;
  if (word == "error") return HostState::error;
  return HostState::unknown;
}

HeaterNames name_heaters(const PrinterProfile& profile, const std::vector<std::string>& objects) {
  HeaterNames names;
  int hotends = 0;
  const auto count = std::min(profile.heaters.size(), max_heaters);
  for (std::size_t i = 0; i < count; ++i) {
    std::string wanted;
    switch (profile.heaters[i].kind) {
      case HeaterKind::hotend:
        wanted = hotends == 0 ? "extruder" : "extruder" + std::to_string(hotends);
        ++hotends;
        break;
      case HeaterKind::bed: wanted = "heater_bed"; break;
      case HeaterKind::chamber:
        for (const auto& object : objects) {
          const bool chamber =
              object.starts_with("heater_generic ") && object.find("chamber") != std::string::npos;
          if (chamber && wanted.empty()) wanted = object;
        }
        break;
    }
    if (has(objects, wanted)) names.object[i] = wanted;
  }
  for (const auto& object : objects) {
    const bool watched =
        std::find(names.object.begin(), names.object.end(), object) != names.object.end();
    if (is_heater(object) && !watched) names.unwatched.push_back(object);
  }
  return names;
}

std::optional<Message> read_message(std::string_view text, const HeaterNames& names) {
  const auto value = parse(text);
  if (!value) return {};
  Message out;
  const json* id = find(*value, "id");
  if (id != nullptr && id->is_number_integer()) out.answers = id->get<int>();
  out.refused = find(*value, "error") != nullptr;
  if (const json* result = find(*value, "result")) read_result(*result, names, out);
  if (const json* params = find(*value, "params")) {
    if (const json* status = find(*params, "status")) read_status(*status, names, out);
  }
  return out;
}

std::optional<FirmwareSettings> read_settings(std::string_view text, const HeaterNames& names) {
  const auto value = parse(text);
  if (!value) return {};
  const json* at = &*value;
  for (const char* key : {"result", "status", "configfile", "settings"}) {
    at = find(*at, key);
    if (at == nullptr || !at->is_object()) return {};
  }
  FirmwareSettings out;
  for (std::size_t i = 0; i < names.object.size(); ++i) {
    if (!names.object[i].empty()) out.limits[i] = limit_of(*at, names.object[i]);
  }
  if (const json* extruder = find(*at, "extruder")) {
    const float diameter = number(*extruder, "filament_diameter");
    out.filament_mm2 = 0.25F * static_cast<float>(M_PI) * diameter * diameter;
  }
  if (const json* mcu = find(*at, "mcu")) {
    out.board = text_of(*mcu, "canbus_uuid");
    if (out.board.empty()) out.board = text_of(*mcu, "serial");
  }
  return out;
}

std::string ask_info() {
  return message(question::info, "info", {{"client_info", {{"program", "firebreak"}}}});
}

std::string ask_objects() { return message(question::objects, "objects/list", json::object()); }

std::string ask_settings() {
  return message(question::settings, "objects/query",
                 {{"objects", {{"configfile", {"settings"}}}}});
}

std::string ask_subscribe(const HeaterNames& names, const std::vector<std::string>& objects) {
  json wanted = {{"webhooks", nullptr}};
  for (const auto& name : names.object) {
    if (!name.empty()) wanted[name] = {"temperature", "target", "power"};
  }
  const auto also = [&](const char* object, json fields) {
    if (has(objects, object)) wanted[object] = std::move(fields);
  };
  also("toolhead", {"estimated_print_time"});
  also("print_stats", {"state"});
  also("fan", {"speed"});
  also("motion_report", {"live_extruder_velocity"});
  return message(question::subscribe, "objects/subscribe",
                 {{"objects", std::move(wanted)}, {"response_template", {{"key", "status"}}}});
}

std::string ask_order(std::string_view gcode) {
  return message(question::order, "gcode/script", {{"script", gcode}});
}

std::string ask_firmware_restart() {
  return message(question::restart, "gcode/firmware_restart", json::object());
}

}  // namespace firebreak::guard::klipper
