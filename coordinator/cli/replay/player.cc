#include "coordinator/cli/replay/player.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>

#include "agent/guard/thermal/model_fit.h"

namespace firebreak::cli::replay {
namespace {

using guard::HeaterKind;
using guard::HeaterProfile;
using guard::PrinterProfile;
using guard::thermal::HeaterModel;
using guard::thermal::ModelSet;
using std::chrono::seconds;

/// The numbers of boards/printers/generic-marlin.yaml; a trace does not say what printer it is of.
HeaterProfile generic(HeaterKind kind) {
  switch (kind) {
    case HeaterKind::hotend:
      return {"hotend", kind, 290, 60, 5, 5, seconds(40), 2, seconds(30), 8, 15};
    case HeaterKind::bed: return {"bed", kind, 125, 50, 5, 2, seconds(60), 2, seconds(30), 4, 15};
    case HeaterKind::chamber:
      return {"chamber", kind, 85, 50, 5, 2, seconds(300), 2, seconds(300), 4, 15};
  }
  return {};
}

/// What a profile of the model itself would allow: no printer's heater is faster.
constexpr double fastest_of_all(HeaterKind kind) { return kind == HeaterKind::hotend ? 12 : 4; }
/// Room over a learned rise, for the supply's and the fit's error.
constexpr double over_learned = 1.2;

/// The heaters that a trace holds, in the order of their kinds, and their places in a profile.
struct Heaters {
  PrinterProfile profile;
  std::array<std::size_t, 3> place{};
  std::vector<HeaterModel> models;
};

Heaters heaters_of(const Trace& trace, const ModelSet& models) {
  std::array<bool, 3> present{};
  for (const auto& row : trace) present[static_cast<std::size_t>(row.heater)] = true;
  Heaters heaters;
  heaters.profile.name = "trace";
  for (std::size_t kind = 0; kind < present.size(); ++kind) {
    if (!present[kind]) continue;
    auto heater = generic(static_cast<HeaterKind>(kind));
    const auto model = models.find(heater.name);
    heaters.models.push_back(model == models.end() ? HeaterModel{} : model->second);
    if (model != models.end()) {
      heater.fastest_rise_kelvin_per_s = std::max(heater.fastest_rise_kelvin_per_s,
                                                  over_learned * model->second.rise_kelvin_per_s);
    }
    heaters.place[kind] = heaters.profile.heaters.size();
    heaters.profile.heaters.push_back(std::move(heater));
  }
  return heaters;
}

constexpr double silent_step_s = 1;
constexpr int silent_steps_max = 120;  ///< Whatever is to be said of silence is said by then.

/// A guard's monitor for one recording.
class Player {
 public:
  Player(const Trace& trace, const ModelSet& models, const Watcher& watch)
      : trace_(trace),
        watch_(watch),
        heaters_(heaters_of(trace, models)),
        state_(std::make_unique<guard::thermal::ThermalState>()),
        monitor_(heaters_.profile, *state_, heaters_.models) {}

  Outcome run() {
    outcome_.samples = trace_.size();
    for (std::size_t i = 0; i < trace_.size();) {
      const double t = trace_[i].t_s;
      if (i > 0) be_silent(trace_[i - 1].t_s, t);
      std::size_t end = i;
      for (; end < trace_.size() && trace_[end].t_s == t; ++end) take(trace_[end]);
      step(t);
      for (; watch_ && i < end; ++i) show(trace_[i]);
      i = end;
    }
    return std::move(outcome_);
  }

 private:
  [[nodiscard]] std::int64_t ns(double t_s) const {
    // Some time after the start of a clock whose 0 means never.
    return 1'000'000'000'000 + static_cast<std::int64_t>((t_s - trace_.front().t_s) * 1e9);
  }

  void be_silent(double from_s, double to_s) {
    for (int k = 1; k <= silent_steps_max && from_s + k * silent_step_s < to_s - 0.5; ++k) {
      step(from_s + k * silent_step_s);
    }
  }

  void take(const TraceRow& row) {
    auto& reading = readings_.heaters[heaters_.place[static_cast<std::size_t>(row.heater)]];
    const auto at = ns(row.t_s);
    reading = {row.celsius, row.target_celsius, row.duty, at, at, reading.reports + 1};
    readings_.temperature_at_ns = readings_.line_at_ns = at;
    // Fan and flow are the printer's; a row that does not say them does not take them back.
    if (row.heater == HeaterKind::hotend || std::isfinite(row.fan)) readings_.fan = row.fan;
    if (row.heater == HeaterKind::hotend || std::isfinite(row.flow_mm3_per_s)) {
      readings_.flow_mm3_per_s = row.flow_mm3_per_s;
    }
  }

  void step(double t_s) {
    input_.now_ns = ns(t_s);
    const auto& report = monitor_.step(input_, readings_);
    for (const auto& verdict : report.all()) {
      if (!verdict.onset) continue;
      const bool trip = verdict.level == guard::thermal::Level::trip;
      if (trip && !outcome_.first_trip) outcome_.first_trip = outcome_.found.size();
      ++(trip ? outcome_.trips : outcome_.warnings);
      outcome_.found.push_back({t_s, heaters_.profile.heaters[verdict.heater].name, verdict});
    }
  }

  void show(const TraceRow& row) {
    const auto place = heaters_.place[static_cast<std::size_t>(row.heater)];
    std::array<guard::thermal::EvidenceSample, 1> newest;
    const bool any = monitor_.evidence(place, newest) != 0;
    watch_(row, any ? newest.front().unexplained : guard::unknown);
  }

  const Trace& trace_;
  const Watcher& watch_;
  Heaters heaters_;
  std::unique_ptr<guard::thermal::ThermalState> state_;
  guard::thermal::ThermalMonitor monitor_;
  guard::thermal::StepInput input_;
  guard::PrinterReadings readings_;
  Outcome outcome_;
};

}  // namespace

Outcome play(const Trace& trace, const ModelSet& models, const Watcher& watch) {
  return Player(trace, models, watch).run();
}

ModelSet learn(const Trace& heatup, std::vector<std::string>& refusals) {
  ModelSet models;
  for (std::size_t kind = 0; kind < heater_names.size(); ++kind) {
    std::vector<guard::thermal::HeatUpSample> samples;
    for (const auto& row : heatup) {
      if (row.heater != static_cast<HeaterKind>(kind)) continue;
      samples.push_back({static_cast<float>(row.t_s - heatup.front().t_s), row.celsius,
                         row.target_celsius, row.duty, row.fan, row.flow_mm3_per_s});
    }
    if (samples.empty()) continue;
    auto profile = generic(static_cast<HeaterKind>(kind));
    profile.fastest_rise_kelvin_per_s = fastest_of_all(profile.kind);
    const auto model = guard::thermal::fit_heater_model(profile, samples);
    if (model) models[profile.name] = *model;
    if (!model) refusals.push_back(model.error().message);
  }
  return models;
}

}  // namespace firebreak::cli::replay
