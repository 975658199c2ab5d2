#pragma once

#include <array>
#include <span>

#include "tests/thermal/machine.h"

namespace firebreak::thermal_bench {

/// What the host asks of the machine and what its surroundings do, at one moment.
struct Wishes {
  std::array<double, 3> target{};  ///< hotend, bed, chamber; 0 = off.
  double fan = 0;                  ///< Commanded.
  double flow_mm3_s = 0;           ///< Really extruded now.
  double planned_flow_mm3_s = 0;   ///< As the planner says it.
  double loss_factor = 1;
  double sock_factor = 1;  ///< Of the hotend alone.
  double room_celsius = 25;
  bool printing = false;
};

enum class LifeStyle {
  idle,        ///< Nobody heats.
  one_print,   ///< Heats once and prints until it is told to stop; nothing else happens.
  whole,       ///< Prints and pauses with all that happens to healthy machines.
  commission,  ///< The supervised heat-up: see Life::commission.
};

/// A healthy machine's life: prints, pauses, target edits, filament and tool changes, drafts, a
/// fallen sock. All of it is drawn from the seed.
class Life {
 public:
  Life(const MachineDesign& machine, const PrintProgram& program, LifeStyle style,
       std::uint64_t seed);

  /// Moves on by `dt`; `readings` are the firmware's, in the order of the machine's heaters.
  const Wishes& step(double t_s, double dt, std::span<const double> readings);
  /// The print is over: all targets to 0. (one_print)
  void end_print();
  /// The supervised heat-up has run to its end. (commission)
  [[nodiscard]] bool commissioned() const { return commission_step_ >= 7; }
  /// Warnings are due, trips are not.
  [[nodiscard]] bool sock_lost() const { return wishes_.sock_factor > 1; }

 private:
  enum class Phase { idle, heating, printing, parked };

  /// What `firebreak local commission` asks of a healthy machine: 20 s of rest; the hotend to its
  /// usual target, held 90 s, then 60 s with the part fan full; hotend off, bed (and chamber) to
  /// theirs, held 240 s; all off, 60 s.
  void commission(double t_s, std::span<const double> readings);
  void begin_print(double t_s);
  void heat(double t_s, std::span<const double> readings);
  void print(double t_s, double dt);
  void happen(double t_s);
  void park(double t_s, double celsius, double seconds);
  void weather(double t_s);
  [[nodiscard]] double flow_at(double program_s) const;

  const MachineDesign& machine_;
  const PrintProgram& program_;
  LifeStyle style_;
  Random random_;
  Wishes wishes_;
  Phase phase_ = Phase::idle;
  std::array<double, 3> wanted_{};
  double until_s_ = 0;
  int commission_step_ = 0;
  double print_ends_s_ = 0;
  double program_s_ = 0;
  double purge_until_s_ = 0;
  double edit_at_ = 0, filament_at_ = 0, tool_at_ = 0, draft_at_ = 0, draft_ends_ = 0, sock_at_ = 0;
};

}  // namespace firebreak::thermal_bench
