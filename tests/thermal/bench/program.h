#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/thermal/bench/contest.h"

namespace firebreak::thermal_bench {

/// What is played.
struct Plan {
  bool tune = false;
  std::uint64_t machines = 1000;       ///< For each fault.
  double hours = 60000;                ///< Of healthy lives, all machines together.
  std::uint64_t curve_machines = 200;  ///< For the equal-false-trip curves.
  double curve_hours = 4000;
  unsigned threads = 2;
  std::string only;    ///< Only faults whose name has this in it; empty: all.
  std::string source;  ///< Root of the source tree.
};

/// Plays all of it and returns the figures. The result depends on the plan and the seeds, not on
/// the number of threads.
nlohmann::json play(const Plan& plan);

/// Writes for each of `plan.machines` machines its heat-up and one trace of each fault, as
/// `firebreak replay --batch` reads them, and truth.csv with the second of each fault. 1 s reports.
void write_traces(const Plan& plan, const std::string& folder);

/// How long live readings of `plan.machines` healthy machines stand still in four hours of
/// printing, by the noise of the sensor over its step: what no frozen-reading rule can tell from a
/// fault.
nlohmann::json measure_stillness(const Plan& plan);

/// How many heaters at 4 Hz one core could watch, and what one step of one heater takes.
nlohmann::json measure_speed(const Plan& plan);

}  // namespace firebreak::thermal_bench
