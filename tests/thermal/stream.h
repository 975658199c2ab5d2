#pragma once

#include <vector>

#include "tests/thermal/printer.h"

namespace firebreak::thermal_bench {

/// How a machine's reports reach the guard.
struct StreamStyle {
  const char* name = "1 s";
  double period_s = 1;
  double jitter = 0.1;      ///< Of the period, either way.
  double gap_mean_s = 0;    ///< Mean time between stalls of 2…4 s; 0 = none.
  double spike_mean_s = 0;  ///< Mean time between garbled single readings; 0 = none.
  bool whole_degrees = false;
  bool duty = true;
  bool fan_and_flow = true;
};

/// Turns a running printer into reports. One for each listener.
class Stream {
 public:
  Stream(const StreamStyle& style, const MachineDesign& machine, std::uint64_t seed);

  /// True when a report is due now; `reports` then has one for each heater.
  bool listen(const Printer& printer, std::vector<Report>& reports);

 private:
  [[nodiscard]] float told_duty(std::size_t heater, double duty);
  double spaced(double t_s);

  StreamStyle style_;
  const MachineDesign& machine_;
  Random random_;
  double due_s_ = 0, gap_at_ = 0, spike_at_ = 0;
  float last_duty_[3] = {0, 0, 0};
  double flow_sum_ = 0;
  int flow_ticks_ = 0;
};

}  // namespace firebreak::thermal_bench
