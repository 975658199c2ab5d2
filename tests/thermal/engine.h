#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "agent/guard/thermal/thermal_monitor.h"
#if __has_include("agent/guard/thermal/model_fit.h")
#include "agent/guard/thermal/model_fit.h"
#define FIREBREAK_LEARNS 1
#endif
#include "tests/thermal/machine.h"
#include "tests/thermal/step_test.h"

namespace firebreak::thermal_bench {

/// The fastest rise that a profile of this very heater would name: its own from cold, and some
/// room; not less than the generic profile's.
inline double fastest_rise(const HeaterDesign& heater, double generic) {
  StepTest cold;
  cold.target_celsius = heater.kind == HeaterKind::hotend ? 120 : 45;
  return std::max(generic, 1.15 * step_response(*heater.draw.plant, cold).slope);
}

/// The numbers of boards/printers/generic-marlin.yaml, with the bench's equal limits and what a
/// profile of the model knows of its heaters; `scale` times those that are not limits.
inline guard::PrinterProfile profile_of(const MachineDesign& machine, double scale) {
  using std::chrono::seconds;
  const auto scaled = [&](int s) { return seconds(std::max(1L, std::lround(s * scale))); };
  guard::PrinterProfile profile;
  profile.name = "bench";
  profile.boot_time = seconds(20);
  for (const auto& heater : machine.heaters) {
    const double limit = limit_celsius(heater.kind);
    const char* name = name_of(heater.kind);
    if (heater.kind == HeaterKind::hotend) {
      profile.heaters.push_back({name, heater.kind, limit, 60, 5, fastest_rise(heater, 5),
                                 scaled(40), 2, scaled(30), 8 * scale, 15 * scale});
    } else {
      // A chamber's air is slow, and a door opens now and then.
      const bool bed = heater.kind == HeaterKind::bed;
      profile.heaters.push_back({name, heater.kind, limit, 50, 5, 2, scaled(bed ? 60 : 300), 2,
                                 scaled(bed ? 30 : 300), 4 * scale, 15 * scale});
    }
    profile.heaters.back().heater_watts = heater.draw.plant->nominal_watts();
  }
  return profile;
}

/// What the engine learns from one supervised heat-up, as `firebreak local commission` does.
struct Learned {
  std::uint32_t refused = 0;  ///< Heaters whose heat-up it would not learn from.
#ifdef FIREBREAK_LEARNS
  std::vector<std::optional<guard::thermal::HeaterModel>> models;
#endif
};

inline Learned learn(const MachineDesign& machine, const std::vector<Report>& heatup) {
  Learned learned;
#ifdef FIREBREAK_LEARNS
  const auto profile = profile_of(machine, 1);
  for (const auto& heater : profile.heaters) {
    std::vector<guard::thermal::HeatUpSample> samples;
    for (const auto& report : heatup) {
      if (report.heater != heater.kind) continue;
      samples.push_back({static_cast<float>(report.t_s), report.celsius, report.target_celsius,
                         report.duty, report.fan, report.flow_mm3_s});
    }
    const auto model = guard::thermal::fit_heater_model(heater, samples);
    if (model) learned.models.emplace_back(*model);
    if (!model) learned.models.emplace_back();
    if (!model) ++learned.refused;
  }
#else
  if (!heatup.empty()) learned.refused = static_cast<std::uint32_t>(machine.heaters.size());
#endif
  return learned;
}

/// The guard's thermal engine as the guard drives it: reports at their times, steps at 10 Hz. The
/// only file of the bench that knows the engine's interface.
class Engine {
 public:
  /// `learned`: null for a machine that was never commissioned. `scale`: times every threshold
  /// that is not a limit.
  Engine(const MachineDesign& machine, const Learned* learned, double scale)
      : state_(std::make_unique<guard::thermal::ThermalState>()),
        profile_(profile_of(machine, scale)),
        monitor_(profile_, *state_) {
    monitor_.scale_thresholds(static_cast<float>(scale));
    if (learned != nullptr) use(*learned);
  }

  void take(std::span<const Report> reports) noexcept {
    for (std::size_t i = 0; i < reports.size(); ++i) {
      const auto& report = reports[i];
      const auto at = ns(report.t_s);
      auto& reading = readings_.heaters[i];
      reading = {report.celsius, report.target_celsius, report.duty, at, at, reading.reports + 1};
      readings_.temperature_at_ns = readings_.line_at_ns = at;
      readings_.fan = report.fan;
      say_flow(readings_, report.flow_mm3_s);
    }
  }

  /// One step of all rules; true if one of them trips.
  bool step(double t_s) noexcept {
    input_.now_ns = ns(t_s);
    const auto& report = monitor_.step(input_, readings_);
    for (const auto& verdict : report.all()) {
      if (verdict.onset && verdict.level == guard::thermal::Level::warning) {
        ++warnings_[static_cast<std::size_t>(verdict.rule)];
      }
      if (verdict.level == guard::thermal::Level::trip && !tripped_) {
        tripped_ = true;
        rule_ = verdict.rule;
        heater_ = verdict.heater;
      }
    }
    tripped_ = tripped_ || report.trips != 0;
    return tripped_;
  }

  [[nodiscard]] guard::thermal::Rule rule() const { return rule_; }
  [[nodiscard]] std::size_t heater() const { return heater_; }
  static constexpr std::size_t rules = static_cast<std::size_t>(guard::thermal::Rule::count);
  [[nodiscard]] const std::array<std::uint32_t, rules>& warnings() const { return warnings_; }
  /// Bytes that the engine keeps of one heater.
  static constexpr std::size_t bytes_a_heater = sizeof(guard::thermal::HeaterState);

 private:
  static std::int64_t ns(double t_s) { return 1'000'000'000'000 + std::llround(t_s * 1e9); }

  void use(const Learned& learned) {
#ifdef FIREBREAK_LEARNS
    for (std::size_t i = 0; i < learned.models.size(); ++i) {
      if (learned.models[i]) monitor_.use(i, *learned.models[i]);
    }
#else
    (void)learned;
#endif
  }

  template <class Readings>
  static void say_flow(Readings& readings, float flow) {
    if constexpr (requires { readings.flow_mm3_per_s; }) readings.flow_mm3_per_s = flow;
  }

  std::unique_ptr<guard::thermal::ThermalState> state_;
  guard::PrinterProfile profile_;
  guard::thermal::ThermalMonitor monitor_;
  guard::PrinterReadings readings_;
  guard::thermal::StepInput input_;
  std::array<std::uint32_t, rules> warnings_{};
  bool tripped_ = false;
  guard::thermal::Rule rule_ = guard::thermal::Rule::none;
  std::size_t heater_ = 0;
};

}  // namespace firebreak::thermal_bench
