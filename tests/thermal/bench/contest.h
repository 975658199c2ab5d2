#pragma once

#include <array>
#include <string>
#include <vector>

#include "tests/thermal/anchors/anchor.h"
#include "tests/thermal/engine.h"
#include "tests/thermal/stream.h"

namespace firebreak::thermal_bench {

enum class Make { klipper, marlin, marlin_variance, prusa, reprap, firebreak };

/// One who takes part: a firmware's rules, or our engine with one kind of reports.
struct Entrant {
  std::string name;
  Make make = Make::firebreak;
  std::size_t stream = 0;  ///< Which of the streams it hears (firebreak).
  bool commissioned = true;
  double scale = 1;
};

/// What an entrant did in one run.
struct Outcome {
  double trip_s = -1;     ///< Since the fault (faults) or the start (lives); negative: never.
  bool early = false;     ///< It tripped before the fault.
  float overshoot = 0;    ///< Hottest of the body over the hotter of target and start, K.
  float asked_s = 0;      ///< Seconds of full power that were asked for from the fault to the trip.
  float past_limit = 0;   ///< Hottest of the body over the limit, K; negative: below.
  std::uint8_t rule = 0;  ///< guard::thermal::Rule
  std::uint8_t heater = 0;
  std::uint32_t refused = 0;                            ///< Heaters that could not be commissioned.
  double watched_s = 0;                                 ///< Until its first trip.
  double calm_s = 0;                                    ///< Of these, with the sock on.
  std::array<std::uint32_t, Engine::rules> warnings{};  ///< With the sock on.
};

/// A machine with what was learned of it while it was healthy.
struct Prepared {
  MachineDesign machine;
  std::vector<AnchorSetup> anchors;  ///< One for each heater.
  std::vector<Learned> learned;      ///< From the heat-up as each stream told it.
};

/// What each stream tells of the supervised heat-up of a healthy machine.
std::vector<std::vector<Report>> supervised_heatup(const MachineDesign& machine,
                                                   const PrintProgram& program,
                                                   const std::vector<StreamStyle>& streams);

/// Calibrates the firmwares' rules and runs the supervised heat-up.
Prepared prepare(const Group& group, const PrintProgram& program, std::uint64_t number,
                 const std::vector<StreamStyle>& streams);

/// One run with a fault; outcomes in the order of the entrants. Empty if the machine has no such
/// heater or the moment of the fault never comes.
std::vector<Outcome> play_fault(const Prepared& prepared, const PrintProgram& program,
                                const FaultCase& fault, std::uint64_t seed,
                                const std::vector<StreamStyle>& streams,
                                const std::vector<Entrant>& entrants);

/// `hours` of a healthy life.
std::vector<Outcome> play_life(const Prepared& prepared, const PrintProgram& program, double hours,
                               std::uint64_t seed, const std::vector<StreamStyle>& streams,
                               const std::vector<Entrant>& entrants);

}  // namespace firebreak::thermal_bench
