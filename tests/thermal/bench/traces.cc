#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "tests/thermal/bench/program.h"

namespace firebreak::thermal_bench {

namespace {

constexpr double after_fault_s = 300;
constexpr double longest_wait_s = 3600;

std::string file_name(const FaultCase& fault, std::uint64_t number) {
  std::string name = fault.name;
  std::replace(name.begin(), name.end(), ' ', '-');
  std::erase(name, ',');
  return fmt::format("{}-{:04}", name, number);
}

Trace record(const MachineDesign& machine, const PrintProgram& program, const FaultCase& fault,
             std::uint64_t seed) {
  const auto style = fault.moment == Moment::idle ? LifeStyle::idle : LifeStyle::one_print;
  Printer printer(machine, program, style, seed);
  printer.plan(fault);
  Stream stream(StreamStyle{}, machine, seed);
  Trace trace;
  std::vector<Report> news;
  while (printer.t_s() < longest_wait_s) {
    printer.tick();
    trace.fault_at_s = printer.fault_at_s();
    if (trace.fault_at_s >= 0 && printer.t_s() > trace.fault_at_s + after_fault_s) break;
    if (!stream.listen(printer, news)) continue;
    trace.reports.insert(trace.reports.end(), news.begin(), news.end());
    for (const auto& heater : printer.heaters()) {
      trace.truth.push_back({printer.t_s(), heater.kind,
                             static_cast<float>(heater.plant->body_celsius()),
                             static_cast<float>(heater.power)});
    }
  }
  return trace;
}

}  // namespace

void write_traces(const Plan& plan, const std::string& folder) {
  const auto& group = plan.tune ? tuning_group() : held_out_group();
  const auto program = PrintProgram::load(plan.source + "/tests/data/gcode/" + group.gcode);
  std::filesystem::create_directories(folder);
  std::ofstream truth(folder + "/truth.csv");
  truth << "trace,fault_t,hottest\n";
  for (std::uint64_t number = 0; number < plan.machines; ++number) {
    const auto machine = draw_machine(group, number);
    const auto heatup = supervised_heatup(machine, program, {StreamStyle{}})[0];
    for (const auto& fault : fault_cases()) {
      if (std::string(fault.name).find(plan.only) == std::string::npos) continue;
      const auto trace = record(machine, program, fault, mix(number, 3));
      if (trace.fault_at_s < 0) continue;
      const auto name = file_name(fault, number);
      std::ofstream trace_file(folder + "/" + name + ".trace.csv");
      write_csv(trace_file, trace.reports);
      std::ofstream heatup_file(folder + "/" + name + ".heatup.csv");
      write_csv(heatup_file, heatup);
      double hottest = 0;
      for (const auto& at : trace.truth) {
        if (at.heater == fault.heater) hottest = std::max<double>(hottest, at.body_celsius);
      }
      truth << fmt::format("{}.trace.csv,{:.1f},{:.1f}\n", name, trace.fault_at_s, hottest);
    }
  }
}

}  // namespace firebreak::thermal_bench
