#include "agent/guard/config/profile_reader.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

namespace firebreak::guard {
namespace {

using nlohmann::json;

HeaterKind kind_of(const std::string& name) {
  if (name == "bed") return HeaterKind::bed;
  return name == "chamber" ? HeaterKind::chamber : HeaterKind::hotend;
}

/// Where a person may touch it (docs/safety.md, times).
double safe_at_most(HeaterKind kind) { return kind == HeaterKind::hotend ? 60 : 50; }

/// The heat-up may overshoot, and must never meet the limit.
constexpr double usual_below_limit = 25;

/// What most prints ask for: PLA on a warm bed. Hot enough to learn from, and no plastic chars.
double usual(HeaterKind kind) {
  if (kind == HeaterKind::hotend) return 210;
  return kind == HeaterKind::bed ? 60 : 45;
}

HeaterProfile read_heater(const json& value) {
  HeaterProfile heater;
  heater.name = value.at("name").get<std::string>();
  heater.kind = kind_of(heater.name);
  heater.limit_celsius = value.at("limit_celsius").get<double>();
  heater.safe_celsius = value.value("safe_celsius", safe_at_most(heater.kind));
  heater.usual_celsius = value.value(
      "usual_celsius", std::min(usual(heater.kind), heater.limit_celsius - usual_below_limit));
  heater.minimum_celsius = value.value("minimum_celsius", 5.0);
  heater.fastest_rise_kelvin_per_s = value.at("fastest_rise_k_per_s").get<double>();
  heater.watch_period = std::chrono::seconds(value.at("watch_period_s").get<int>());
  heater.watch_kelvin = value.at("watch_kelvin").get<double>();
  heater.hysteresis_period = std::chrono::seconds(value.at("hysteresis_period_s").get<int>());
  heater.hysteresis_kelvin = value.at("hysteresis_kelvin").get<double>();
  heater.overshoot_kelvin = value.at("overshoot_kelvin").get<double>();
  heater.heater_watts = value.value("heater_watts", 0.0);
  heater.heated_mass_grams = value.value("heated_mass_g", 0.0);
  return heater;
}

void check_heater(const config::Document& document, const std::string& at,
                  const HeaterProfile& heater, Problems& problems) {
  if (heater.safe_celsius > safe_at_most(heater.kind)) {
    problems.add(document, at + "/safe_celsius",
                 "a bed or chamber is safe to touch at 50 or less, a hotend at 60 or less");
  }
  if (heater.minimum_celsius >= heater.safe_celsius) {
    problems.add(document, at + "/minimum_celsius", "must be below safe_celsius");
  }
  if (heater.usual_celsius > heater.limit_celsius - usual_below_limit) {
    problems.add(document, at + "/usual_celsius", "must be 25 below limit_celsius or less");
  }
  if (heater.limit_celsius <= heater.safe_celsius) {
    problems.add(document, at + "/limit_celsius", "must be above safe_celsius");
  }
}

}  // namespace

PrinterProfile read_profile(const config::Document& document, Problems& problems) {
  const auto& value = document.value();
  PrinterProfile profile;
  profile.name = value.at("name").get<std::string>();
  profile.firmware = value.at("firmware").get<std::string>();
  profile.boot_time = std::chrono::seconds(value.at("boot_time_s").get<int>());
  const auto& stop = value.at("stop");
  profile.tools = stop.at("tools").get<int>();
  profile.fan_is_not_heatbreak = stop.value("fan_is_not_heatbreak", false);
  profile.dtr_resets_board = stop.value("dtr_resets_board", false);
  profile.auto_starts = stop.value("auto_starts", true);
  if (value.contains("keep_running")) {
    profile.keep_running = value.at("keep_running").get<std::vector<std::string>>();
  }
  std::set<std::string> names;
  int hotends = 0;
  const auto& heaters = value.at("heaters");
  for (std::size_t i = 0; i < heaters.size(); ++i) {
    const auto at = "/heaters/" + std::to_string(i);
    const auto heater = read_heater(heaters[i]);
    if (!names.insert(heater.name).second) {
      problems.add(document, at + "/name", "this heater is listed twice; give each once");
    }
    hotends += heater.kind == HeaterKind::hotend ? 1 : 0;
    check_heater(document, at, heater, problems);
    profile.heaters.push_back(heater);
  }
  if (profile.tools < hotends) {
    problems.add(document, "/stop/tools",
                 "fewer tools than hotends: some hotend would never be told to stop");
  }
  return profile;
}

}  // namespace firebreak::guard
