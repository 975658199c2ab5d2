#include <array>
#include <map>

#include "tests/thermal/bench/contest.h"
#include "tests/thermal/bench/program.h"

namespace firebreak::thermal_bench {

namespace {

constexpr double hours = 4;
constexpr double settled_s = 60;
constexpr double near_kelvin = 3;

/// Longest time for which a live reading stood still near its target, and reading and duty both.
struct Stood {
  double reading_s = 0, both_s = 0;
};

std::array<Stood, 3> watch(const MachineDesign& machine, const PrintProgram& program,
                           std::uint64_t seed) {
  Printer printer(machine, program, LifeStyle::one_print, seed);
  Stream stream(StreamStyle{}, machine, seed);
  struct Last {
    Report report;
    double away_s = 0, reading_since = 0, both_since = 0;
  };
  std::array<Last, 3> last{};
  std::array<Stood, 3> stood{};
  std::vector<Report> news;
  while (printer.t_s() < hours * 3600) {
    printer.tick();
    if (!stream.listen(printer, news)) continue;
    for (std::size_t i = 0; i < news.size(); ++i) {
      auto& before = last[i];
      const auto& now = news[i];
      const bool near =
          now.target_celsius > 0 && std::fabs(now.celsius - now.target_celsius) < near_kelvin;
      if (!near) before.away_s = now.t_s;
      const bool settled = now.t_s - before.away_s > settled_s;
      const bool same = settled && now.celsius == before.report.celsius;
      if (!same) before.reading_since = now.t_s;
      if (!same || now.duty != before.report.duty) before.both_since = now.t_s;
      stood[i].reading_s = std::max(stood[i].reading_s, now.t_s - before.reading_since);
      stood[i].both_s = std::max(stood[i].both_s, now.t_s - before.both_since);
      before.report = now;
    }
  }
  return stood;
}

const char* band(double ratio) {
  return ratio < 0.5 ? "below 0.5" : ratio < 1 ? "0.5 to 1" : "1 and more";
}

}  // namespace

nlohmann::json measure_stillness(const Plan& plan) {
  const auto& group = plan.tune ? tuning_group() : held_out_group();
  const auto program = PrintProgram::load(plan.source + "/tests/data/gcode/" + group.gcode);
  nlohmann::json out = nlohmann::json::object();
  for (std::uint64_t number = 0; number < plan.machines; ++number) {
    const auto machine = draw_machine(group, number);
    const auto stood = watch(machine, program, mix(number, 99));
    for (std::size_t i = 0; i < 2; ++i) {
      const auto& sensor = machine.heaters[i].sensor;
      const double ratio =
          sensor.noise_kelvin / std::max(sensor.step_kelvin, machine.report_quantum);
      auto& row = out[name_of(machine.heaters[i].kind)][band(ratio)];
      if (row.is_null()) row = nlohmann::json::object();
      const double bar_s = i == 0 ? 18 : 35;
      row["machines"] = row.value("machines", 0) + 1;
      row["reading_over_bar"] = row.value("reading_over_bar", 0) + (stood[i].reading_s > bar_s);
      row["both_over_bar"] = row.value("both_over_bar", 0) + (stood[i].both_s > bar_s);
      // A run three times as long is a chance of one in a billion if runs die away evenly.
      row["both_over_third"] = row.value("both_over_third", 0) + (stood[i].both_s > bar_s / 3);
      row["longest_s"] = std::max(row.value("longest_s", 0.0), std::round(stood[i].both_s));
    }
  }
  return out;
}

}  // namespace firebreak::thermal_bench
