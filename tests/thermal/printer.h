#pragma once

#include <memory>
#include <vector>

#include "tests/thermal/fault.h"
#include "tests/thermal/life.h"

namespace firebreak::thermal_bench {

/// One heater while it runs.
struct HeaterNow {
  HeaterKind kind = HeaterKind::hotend;
  std::unique_ptr<Plant> plant;
  std::unique_ptr<Controller> controller;
  double reading = 25;     ///< The firmware's, °C.
  double target = 0;       ///< °C; 0 = off.
  double duty = 0;         ///< What the controller wants, 0…1.
  double power = 0;        ///< What arrives, share of the nominal power.
  double control_due = 0;  ///< s
  double since_control = 0;
};

/// One run of one machine: life, control, physics and a fault, at 10 Hz. Deterministic from the
/// design and the seed. Used by one thread.
class Printer {
 public:
  static constexpr double tick_s = 0.1;

  Printer(const MachineDesign& machine, const PrintProgram& program, LifeStyle style,
          std::uint64_t seed);

  /// Lets the fault come at its moment. `fault` must outlive the printer.
  void plan(const FaultCase& fault);
  void tick();

  [[nodiscard]] double t_s() const { return t_; }
  [[nodiscard]] const std::vector<HeaterNow>& heaters() const { return heaters_; }
  [[nodiscard]] const Wishes& wishes() const { return wishes_; }
  [[nodiscard]] const MachineDesign& machine() const { return machine_; }
  /// Negative until it has begun.
  [[nodiscard]] double fault_at_s() const { return fault_at_; }
  [[nodiscard]] bool commissioned() const { return life_.commissioned(); }
  [[nodiscard]] bool sock_lost() const { return life_.sock_lost(); }
  /// Hottest that the body of a heater gets if its power ends now, °C.
  [[nodiscard]] double peak_if_cut(std::size_t heater) const;

 private:
  struct Draws {  // of this run's fault
    double share = 0, tau_s = 5, level = 25, fraction = 0.5, wait_s = 0;
  };

  void draw_fault();
  void look_for_moment();
  void begin_fault(double at_s);
  void measure();
  double disturbed(std::size_t index, double bead);
  void control(std::size_t index);
  void heat();
  [[nodiscard]] double arriving(std::size_t index, double duty);
  [[nodiscard]] Surroundings around(std::size_t index);
  void follow_blob(Surroundings& around);
  [[nodiscard]] bool broken(std::size_t index) const { return fault_at_ >= 0 && index == broken_; }

  const MachineDesign& machine_;
  Random random_;
  Life life_;
  Wishes wishes_;
  std::vector<HeaterNow> heaters_;
  std::vector<double> readings_;
  double t_ = 0;
  double fan_air_ = 0;  ///< A fan takes a second to change its speed.
  double ripple_ = 0;   ///< Of the supply's voltage.

  const FaultCase* fault_ = nullptr;
  std::size_t broken_ = 0;
  double fault_at_ = -1;
  Draws draws_;
  double start_celsius_ = 25;
  double steady_since_ = -1;
  double due_ = -1;
  double bead_ = 25;  ///< Of a sensor that fell out.
  double frozen_ = 25;
  double toggle_at_ = 0;  ///< Of a loose wire.
  bool loose_ = false;
  double blob_celsius_ = 150;
};

}  // namespace firebreak::thermal_bench
