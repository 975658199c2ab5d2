#include "tests/thermal/bench/program.h"

#include <atomic>
#include <ctime>
#include <functional>
#include <limits>
#include <map>
#include <mutex>
#include <thread>

#include "tests/thermal/bench/statistics.h"

namespace firebreak::thermal_bench {

namespace {

using nlohmann::json;

constexpr double hours_a_life = 20;
constexpr double infinite = std::numeric_limits<double>::infinity();

// The streams of the fault runs; the order is that of Entrant::stream.
const std::vector<StreamStyle>& fault_streams() {
  static const std::vector<StreamStyle> styles = [] {
    std::vector<StreamStyle> out(4);
    out[1].name = "2 s";
    out[1].period_s = 2;
    out[2].name = "5 s";
    out[2].period_s = 5;
    out[3].name = "whole degrees, no duty";
    out[3].whole_degrees = true;
    out[3].duty = out[3].fan_and_flow = false;
    return out;
  }();
  return styles;
}

std::vector<Entrant> fault_entrants() {
  return {{"klipper", Make::klipper, 0, false, 1},
          {"marlin", Make::marlin, 0, false, 1},
          {"marlin, variance monitor", Make::marlin_variance, 0, false, 1},
          {"prusa", Make::prusa, 0, false, 1},
          {"reprap", Make::reprap, 0, false, 1},
          {"firebreak", Make::firebreak, 0, true, 1},
          {"firebreak, uncommissioned", Make::firebreak, 0, false, 1},
          {"firebreak, 2 s", Make::firebreak, 1, true, 1},
          {"firebreak, 5 s", Make::firebreak, 2, true, 1},
          {"firebreak, whole degrees, no duty", Make::firebreak, 3, true, 1}};
}

std::vector<Entrant> life_entrants() {
  auto out = fault_entrants();
  out.resize(7);
  return out;
}

std::vector<Entrant> curve_entrants() {
  std::vector<Entrant> out;
  const std::pair<const char*, Make> makes[] = {{"klipper", Make::klipper},
                                                {"marlin", Make::marlin},
                                                {"prusa", Make::prusa},
                                                {"reprap", Make::reprap},
                                                {"firebreak", Make::firebreak}};
  for (const auto& [name, make] : makes) {
    for (const double scale : {0.35, 0.5, 0.7, 0.85, 1.0, 1.4, 2.0, 3.0}) {
      out.push_back({name, make, 0, true, scale});
    }
  }
  return out;
}

/// A life's reports: what hosts and firmwares really send, mixed.
StreamStyle life_stream(std::uint64_t seed) {
  Random random(mix(seed, 77));
  constexpr double periods[] = {0.25, 0.5, 1, 1, 1, 1, 2, 2, 2, 5};
  StreamStyle style;
  style.name = "mixed";
  style.period_s = periods[random.pick(10)];
  style.jitter = random.uniform(0.05, 0.3);
  style.gap_mean_s = 1800;
  style.spike_mean_s = random.chance(0.15) ? 10 * 3600 : 0;
  const double kind = random.uniform();
  style.whole_degrees = kind < 0.1;
  style.duty = kind >= 0.2;
  style.fan_and_flow = kind >= 0.15;
  return style;
}

/// Runs job(0) … job(count - 1) on all threads.
void spread(unsigned threads, std::uint64_t count, const std::function<void(std::uint64_t)>& job) {
  std::atomic<std::uint64_t> next{0};
  std::vector<std::jthread> workers;
  for (unsigned i = 0; i < threads; ++i) {
    workers.emplace_back([&] {
      for (auto number = next++; number < count; number = next++) job(number);
    });
  }
}

std::vector<const FaultCase*> chosen_faults(const Plan& plan) {
  std::vector<const FaultCase*> out;
  for (const auto& fault : fault_cases()) {
    if (std::string(fault.name).find(plan.only) != std::string::npos) out.push_back(&fault);
  }
  return out;
}

// outcomes[fault][machine][entrant]
using FaultOutcomes = std::vector<std::vector<std::vector<Outcome>>>;

FaultOutcomes play_faults(const Plan& plan, const Group& group, const PrintProgram& program,
                          std::uint64_t machines, const std::vector<Entrant>& entrants) {
  const auto faults = chosen_faults(plan);
  FaultOutcomes outcomes(faults.size(), std::vector<std::vector<Outcome>>(machines));
  spread(plan.threads, machines, [&](std::uint64_t number) {
    const auto prepared = prepare(group, program, number, fault_streams());
    for (std::size_t i = 0; i < faults.size(); ++i) {
      // The same seed whatever else is played.
      const auto place = static_cast<std::uint64_t>(faults[i] - fault_cases().data());
      outcomes[i][number] = play_fault(prepared, program, *faults[i], mix(number, 1000 + place),
                                       fault_streams(), entrants);
    }
  });
  return outcomes;
}

// outcomes[life][entrant]
std::vector<std::vector<Outcome>> play_lives(const Plan& plan, const Group& group,
                                             const PrintProgram& program, double hours,
                                             const std::vector<Entrant>& entrants) {
  const auto lives = static_cast<std::uint64_t>(hours / hours_a_life + 0.5);
  std::vector<std::vector<Outcome>> outcomes(lives);
  spread(plan.threads, lives, [&](std::uint64_t number) {
    const std::vector<StreamStyle> streams{life_stream(mix(group.seed, number))};
    const auto prepared = prepare(group, program, number, streams);
    outcomes[number] =
        play_life(prepared, program, hours_a_life, mix(number, 5), streams, entrants);
  });
  return outcomes;
}

json rounded(double value, double to = 100) {
  if (!std::isfinite(value)) return nullptr;  // Never, or nothing to say.
  return std::round(value * to) / to;
}

json as_json(const Estimate& estimate) {
  return {{"value", rounded(estimate.value)},
          {"low", rounded(estimate.low)},
          {"high", rounded(estimate.high)}};
}

const char* rule_name(std::uint8_t rule) {
  return guard::thermal::info(static_cast<guard::thermal::Rule>(rule)).name.data();
}

json judge_fault(const std::vector<std::vector<Outcome>>& runs, std::size_t entrant) {
  std::vector<double> seconds;
  std::vector<double> overshoot;
  std::vector<double> past;
  std::vector<double> asked;
  std::map<std::string, int> rules;
  std::uint64_t early = 0;
  std::uint64_t missed = 0;
  for (const auto& run : runs) {
    if (run.empty()) continue;
    const auto& outcome = run[entrant];
    if (outcome.early) {
      ++early;
      continue;
    }
    seconds.push_back(outcome.trip_s < 0 ? infinite : outcome.trip_s);
    if (outcome.trip_s < 0) ++missed;
    asked.push_back(outcome.trip_s < 0 ? infinite : outcome.asked_s);
    overshoot.push_back(outcome.overshoot);
    past.push_back(outcome.past_limit);
    if (outcome.rule != 0 && outcome.trip_s >= 0) ++rules[rule_name(outcome.rule)];
  }
  const auto n = seconds.size();
  return {{"runs", n},
          {"early", early},
          {"missed", missed},
          {"p50", as_json(bootstrap_quantile(seconds, 0.5, 1))},
          {"p95", as_json(bootstrap_quantile(seconds, 0.95, 2))},
          {"asked_p50", rounded(quantile(asked, 0.5))},
          {"asked_p95", rounded(quantile(asked, 0.95))},
          {"overshoot_p99", rounded(quantile(overshoot, 0.99))},
          {"past_limit_max", rounded(quantile(past, 1.0))},
          {"rules", rules}};
}

json judge_faults(const Plan& plan, const FaultOutcomes& outcomes,
                  const std::vector<Entrant>& entrants) {
  json out = json::array();
  const auto faults = chosen_faults(plan);
  for (std::size_t i = 0; i < faults.size(); ++i) {
    json results = json::object();
    for (std::size_t e = 0; e < entrants.size(); ++e) {
      results[entrants[e].name] = judge_fault(outcomes[i], e);
    }
    out.push_back({{"fault", faults[i]->name},
                   {"heater", name_of(faults[i]->heater)},
                   {"stuck_on", faults[i]->kind == FaultKind::stuck_on},
                   {"must_trip", faults[i]->must_trip},
                   {"p95_bar_s", faults[i]->p95_bar_s},
                   {"results", results}});
  }
  return out;
}

json judge_life(const std::vector<std::vector<Outcome>>& lives, std::size_t entrant) {
  double watched = 0;
  double calm = 0;
  std::uint64_t trips = 0;
  std::uint64_t warned = 0;
  std::uint64_t refused = 0;
  std::map<std::string, int> by_heater;
  std::map<std::string, int> by_rule;
  std::map<std::string, std::uint64_t> warnings;
  json cases = json::array();
  for (std::size_t number = 0; number < lives.size(); ++number) {
    const auto& outcome = lives[number][entrant];
    watched += outcome.watched_s / 3600;
    calm += outcome.calm_s / 3600;
    refused += outcome.refused;
    for (std::size_t rule = 0; rule < outcome.warnings.size(); ++rule) {
      if (outcome.warnings[rule] == 0) continue;
      warnings[rule_name(static_cast<std::uint8_t>(rule))] += outcome.warnings[rule];
      warned += outcome.warnings[rule];
    }
    if (outcome.trip_s < 0) continue;
    ++trips;
    ++by_heater[outcome.heater == 0 ? "hotend" : outcome.heater == 1 ? "bed" : "chamber"];
    if (outcome.rule != 0) ++by_rule[rule_name(outcome.rule)];
    if (cases.size() < 20) {
      cases.push_back({{"machine", number}, {"t_s", rounded(outcome.trip_s, 10)}});
    }
  }
  return {{"hours", rounded(watched, 10)},
          {"trips", trips},
          {"trips_per_1000_h", rounded(1000.0 * static_cast<double>(trips) / watched, 1e4)},
          {"upper95_per_1000_h", rounded(1000 * poisson_upper95(trips) / watched, 1e4)},
          {"by_heater", by_heater},
          {"by_rule", by_rule},
          {"first_cases", cases},
          {"commissioning_refused", refused},
          {"warnings", warned},
          {"warnings_per_200_h", rounded(200.0 * static_cast<double>(warned) / calm, 1e4)},
          {"warnings_by_rule", warnings}};
}

json judge_curves(const Plan& plan, const Group& group, const PrintProgram& program) {
  const auto entrants = curve_entrants();
  const auto faults = play_faults(plan, group, program, plan.curve_machines, entrants);
  const auto lives = play_lives(plan, group, program, plan.curve_hours, entrants);
  json out = json::array();
  const auto names = chosen_faults(plan);
  for (std::size_t e = 0; e < entrants.size(); ++e) {
    json seconds = json::object();
    for (std::size_t i = 0; i < names.size(); ++i) {
      const auto judged = judge_fault(faults[i], e);
      seconds[names[i]->name] = {{"p50", judged["p50"]["value"]}, {"p95", judged["p95"]["value"]}};
    }
    out.push_back({{"entrant", entrants[e].name},
                   {"scale", entrants[e].scale},
                   {"life", judge_life(lives, e)},
                   {"seconds", seconds}});
  }
  return out;
}

}  // namespace

json play(const Plan& plan) {
  const auto& group = plan.tune ? tuning_group() : held_out_group();
  const auto program = PrintProgram::load(plan.source + "/tests/data/gcode/" + group.gcode);
  json out = {{"group", group.name}, {"machines", plan.machines}, {"hours", plan.hours}};
  if (plan.machines > 0) {
    const auto entrants = fault_entrants();
    out["faults"] =
        judge_faults(plan, play_faults(plan, group, program, plan.machines, entrants), entrants);
  }
  if (plan.hours > 0) {
    const auto entrants = life_entrants();
    const auto lives = play_lives(plan, group, program, plan.hours, entrants);
    for (std::size_t e = 0; e < entrants.size(); ++e) {
      out["lives"][entrants[e].name] = judge_life(lives, e);
    }
  }
  if (plan.curve_machines > 0) out["curves"] = judge_curves(plan, group, program);
  return out;
}

json measure_speed(const Plan& plan) {
  const auto& group = plan.tune ? tuning_group() : held_out_group();
  const auto program = PrintProgram::load(plan.source + "/tests/data/gcode/" + group.gcode);
  StreamStyle four_hertz;
  four_hertz.period_s = 0.25;
  const auto prepared = prepare(group, program, 0, {four_hertz});
  const auto heaters = prepared.machine.heaters.size();
  constexpr double seconds = 600;
  // The reports are made first: only the engine is measured.
  Printer printer(prepared.machine, program, LifeStyle::one_print, 1);
  Stream stream(four_hertz, prepared.machine, 1);
  std::vector<std::vector<Report>> ticks;
  while (printer.t_s() < seconds) {
    printer.tick();
    ticks.emplace_back();
    stream.listen(printer, ticks.back());
  }
  constexpr int copies = 50;
  std::vector<std::unique_ptr<Engine>> engines;
  for (int i = 0; i < copies; ++i) {
    engines.push_back(std::make_unique<Engine>(prepared.machine, &prepared.learned[0], 1.0));
  }
  const auto began = std::clock();
  for (std::size_t tick = 0; tick < ticks.size(); ++tick) {
    for (auto& engine : engines) {
      if (!ticks[tick].empty()) engine->take(ticks[tick]);
      engine->step(static_cast<double>(tick + 1) * Printer::tick_s);
    }
  }
  const double spent = static_cast<double>(std::clock() - began) / CLOCKS_PER_SEC;
  const double watched = copies * static_cast<double>(heaters);
  return {{"heaters_a_core", std::round(watched * seconds / spent)},
          {"ns_a_step", rounded(1e9 * spent / watched / static_cast<double>(ticks.size()), 10)},
          {"bytes_a_heater", Engine::bytes_a_heater}};
}

}  // namespace firebreak::thermal_bench
