#include "agent/guard/commission/heat_up_plan.h"

#include <fmt/format.h>

#include <cmath>

namespace firebreak::guard::commission {
namespace {

using std::chrono::seconds;

constexpr seconds rest{20};
constexpr seconds hold_hotend{90};
constexpr seconds hold_with_fan{60};
constexpr seconds hold_bed{240};
constexpr seconds cooling{60};
// Twice what the slowest that is sold needs; a heater that needs longer is weak or not seated.
constexpr seconds hotend_reaches{600};
constexpr seconds bed_reaches{3600};

std::string order_for(const PrinterProfile& profile, std::size_t heater, float celsius) {
  const auto& name = profile.heaters[heater].name;
  const int degrees = static_cast<int>(std::lround(celsius));
  switch (profile.heaters[heater].kind) {
    case HeaterKind::bed: return fmt::format("M140 S{}", degrees);
    case HeaterKind::chamber: return fmt::format("M141 S{}", degrees);
    case HeaterKind::hotend: break;
  }
  if (profile.tools == 1) return fmt::format("M104 S{}", degrees);
  return fmt::format("M104 T{} S{}", name.size() > 6 ? name.substr(6) : "0", degrees);
}

}  // namespace

std::vector<Stage> heat_up_plan(const PrinterProfile& profile) {
  std::vector<Stage> plan{{"rest", {}, 0, false, rest}};
  bool fan_used = false;
  for (std::size_t i = 0; i < profile.heaters.size(); ++i) {
    const auto& heater = profile.heaters[i];
    if (heater.kind != HeaterKind::hotend) continue;
    Stage stage{"heat " + heater.name, {}, 0, true, hotend_reaches};
    stage.targets[i] = static_cast<float>(heater.usual_celsius);
    plan.push_back(stage);
    stage.until_reached = false;
    stage.name = "hold " + heater.name;
    stage.lasts = hold_hotend;
    plan.push_back(stage);
    // The one fan that M106 without a number means blows at the first hotend.
    const bool fan = profile.fan_is_not_heatbreak && !fan_used;
    fan_used = true;
    stage.name += fan ? ", part fan full" : " longer (no part fan that may be used)";
    stage.fan = fan ? 1 : 0;
    stage.lasts = hold_with_fan;
    plan.push_back(stage);
  }
  Stage warm{"", {}, 0, true, bed_reaches};
  for (std::size_t i = 0; i < profile.heaters.size(); ++i) {
    if (profile.heaters[i].kind == HeaterKind::hotend) continue;
    warm.targets[i] = static_cast<float>(profile.heaters[i].usual_celsius);
    warm.name += (warm.name.empty() ? "" : " and ") + profile.heaters[i].name;
  }
  if (warm.heats()) {
    const std::string names = warm.name;
    warm.name = "heat " + names;
    plan.push_back(warm);
    warm.name = "hold " + names;
    warm.until_reached = false;
    warm.lasts = hold_bed;
    plan.push_back(warm);
  }
  plan.push_back({"cool", {}, 0, false, cooling});
  return plan;
}

std::vector<std::string> orders_for(const PrinterProfile& profile, const Stage& before,
                                    const Stage& after) {
  std::vector<std::string> off, on;
  for (std::size_t i = 0; i < profile.heaters.size(); ++i) {
    if (before.targets[i] == after.targets[i]) continue;
    auto& lines = after.targets[i] > 0 ? on : off;
    lines.push_back(order_for(profile, i, after.targets[i]));
  }
  if (profile.fan_is_not_heatbreak && before.fan != after.fan) {
    off.push_back(after.fan > 0 ? "M106 S255" : "M107");
  }
  off.insert(off.end(), on.begin(), on.end());
  return off;
}

}  // namespace firebreak::guard::commission
