#include <CLI/CLI.hpp>
#include <iostream>
#include <thread>

#include "tests/thermal/bench/program.h"

/// Plays faults and healthy lives against our engine and the firmwares' rules; prints JSON.
/// tests/bench/thermal.py judges it. `--tune` knows only the tuning families.
int main(int argc, char** argv) {
  using namespace firebreak::thermal_bench;
  Plan plan;
  plan.threads = std::max(1U, std::thread::hardware_concurrency());
  plan.source = FIREBREAK_SOURCE_DIR;
  CLI::App app{"Thermal bench: faults and lives of drawn machines."};
  app.add_flag("--tune", plan.tune, "the tuning families, not the held-out ones");
  app.add_option("--machines", plan.machines, "machines for each fault");
  app.add_option("--hours", plan.hours, "hours of healthy lives");
  app.add_option("--curve-machines", plan.curve_machines, "machines for the curves");
  app.add_option("--curve-hours", plan.curve_hours, "hours of healthy lives for the curves");
  app.add_option("--threads", plan.threads, "threads; the figures do not depend on it");
  app.add_option("--only", plan.only, "faults with this in their name");
  std::string traces;
  app.add_option("--write-traces", traces, "write CSV traces to this folder, play nothing");
  bool stillness = false;
  app.add_flag("--stillness", stillness, "how long live readings stand still; play nothing");
  CLI11_PARSE(app, argc, argv);
  if (stillness) {
    std::cout << measure_stillness(plan).dump(1) << '\n';
    return 0;
  }
  if (!traces.empty()) {
    write_traces(plan, traces);
    return 0;
  }
  auto figures = play(plan);
  figures["speed"] = measure_speed(plan);
  std::cout << figures.dump() << '\n';
  return 0;
}
