#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/guard/thermal/model_file.h"
#include "agent/guard/thermal/thermal_monitor.h"
#include "common/base/result.h"
#include "coordinator/cli/replay/trace.h"

namespace firebreak::cli::replay {

/// One verdict of the engine, when it began.
struct Found {
  double t_s = 0;
  std::string heater;
  guard::thermal::Verdict verdict;
};

struct Outcome {
  std::uint64_t samples = 0;
  std::vector<Found> found;
  std::uint64_t trips = 0;
  std::uint64_t warnings = 0;
  std::optional<std::size_t> first_trip;  ///< Index in `found`.
};

/// Called for each row that was judged, with its unexplained power (NaN where none), for charts.
using Watcher = std::function<void(const TraceRow&, float unexplained)>;

/// Plays a recording through the engine as the guard would have lived it: every report at its
/// time, and each second of silence between them. Models by heater name; others are not learned.
[[nodiscard]] Outcome play(const Trace& trace, const guard::thermal::ModelSet& models,
                           const Watcher& watch = {});

/// Learns every heater that a supervised heat-up holds. A heater that is refused is not in the
/// result; `refusals` says why.
[[nodiscard]] guard::thermal::ModelSet learn(const Trace& heatup,
                                             std::vector<std::string>& refusals);

}  // namespace firebreak::cli::replay
