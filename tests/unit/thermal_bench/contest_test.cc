#include <gtest/gtest.h>

#include "tests/thermal/bench/program.h"

namespace firebreak::thermal_bench {
namespace {

Plan small_plan(unsigned threads) {
  Plan plan;
  plan.tune = true;
  plan.machines = 3;
  plan.hours = 40;
  plan.curve_machines = 0;
  plan.threads = threads;
  plan.only = "stuck on, idle";
  plan.source = FIREBREAK_SOURCE_DIR;
  return plan;
}

TEST(Contest, FiguresDoNotDependOnTheNumberOfThreads) {
  EXPECT_EQ(play(small_plan(1)), play(small_plan(3)));
}

TEST(Contest, SeesAWeldedHotendByOurEngineBeforeAnyHostFirmware) {
  const auto figures = play(small_plan(2));
  for (const auto& fault : figures["faults"]) {
    if (fault["fault"] != "hotend stuck on, idle") continue;
    const auto& results = fault["results"];
    const double ours = results["firebreak"]["p50"]["value"];
    EXPECT_EQ(results["firebreak"]["runs"], 3);
    for (const auto* name : {"klipper", "marlin", "reprap"}) {
      EXPECT_LT(ours, results[name]["p50"]["value"].get<double>()) << name;
    }
  }
}

/// Lives are stepped only at reports and each half second between: that must change nothing but
/// the instant at which silence is noticed.
TEST(Contest, EngineSteppedMoreSeldomBetweenReportsFindsTheSame) {
  const auto& group = tuning_group();
  const auto program =
      PrintProgram::load(std::string(FIREBREAK_SOURCE_DIR "/tests/data/gcode/") + group.gcode);
  const auto prepared = prepare(group, program, 2, {StreamStyle{}});
  for (const auto& fault : fault_cases()) {
    if (fault.heater == HeaterKind::chamber) continue;
    const auto style = fault.moment == Moment::idle ? LifeStyle::idle : LifeStyle::one_print;
    Printer printer(prepared.machine, program, style, 8);
    printer.plan(fault);
    Stream stream({}, prepared.machine, 8);
    Engine dense(prepared.machine, &prepared.learned[0], 1);
    Engine sparse(prepared.machine, &prepared.learned[0], 1);
    std::vector<Report> reports;
    double dense_s = 0;
    double sparse_s = 0;
    double stepped_s = 0;
    while (printer.t_s() < 1500 && (dense_s == 0 || sparse_s == 0)) {
      printer.tick();
      const double t = printer.t_s();
      const bool fresh = stream.listen(printer, reports);
      if (fresh) {
        dense.take(reports);
        sparse.take(reports);
      }
      if (dense.step(t) && dense_s == 0) dense_s = t;
      if (!fresh && t - stepped_s < 0.5) continue;
      stepped_s = t;
      if (sparse.step(t) && sparse_s == 0) sparse_s = t;
    }
    EXPECT_NEAR(dense_s, sparse_s, 0.55) << fault.name;
  }
}

}  // namespace
}  // namespace firebreak::thermal_bench
