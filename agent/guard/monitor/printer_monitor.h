#pragma once

#include <cstdint>

#include "agent/guard/blackbox/record.h"
#include "agent/guard/core/guard_core.h"
#include "agent/guard/thermal/cooling_proof.h"
#include "agent/guard/thermal/current_detector.h"
#include "agent/guard/thermal/probation_watch.h"
#include "agent/guard/thermal/sign_of_heat.h"
#include "agent/guard/thermal/thermal_monitor.h"

namespace firebreak::guard {

/// All that detection remembers of one printer, in mapped memory that outlives the guard.
struct DetectorMemory {
  thermal::ThermalState thermal;
  thermal::CoolingState cooling;
  thermal::SignOfHeatState heat;
  thermal::ProbationState probation;
  std::int64_t stop_ns = 0;          ///< The stop that cooling and heat are watched for.
  std::int64_t probation_ns = 0;     ///< The closing that probation is watched for.
  std::int64_t reset_ns = 0;         ///< The reset that made the rules forget.
  std::int64_t halted_ns = 0;        ///< Last halt text; 0 after a boot banner.
  std::int64_t acknowledged_ns = 0;  ///< Of this stop; 0 = not yet.
  std::int64_t cold_since_ns = 0;
  CauseSet latched_causes = 0;  ///< Of the last latch: what a reset came after.
  std::uint32_t heat_up = 0;    ///< 1 while the guard heats by itself; a restart finds it so.
  std::array<thermal::CurrentState, max_heaters> current{};
};
static_assert(sizeof(DetectorMemory) <= MappedLayout::detector_bytes);

/// Turns what a printer's link and the board's sensors say into causes and facts for the machine:
/// thermal rules, the firmware's own words, proof of cooling, signs of heat, probation. Decides
/// nothing. Monitor thread only; no allocation after construction, no lock, no I/O.
class PrinterMonitor {
 public:
  /// Uses the models that `printer` holds, from then on as they change.
  PrinterMonitor(GuardCore& core, PrinterRuntime& printer, DetectorMemory& memory,
                 EventQueue& events, SampleQueue& samples, const Clock& clock);

  /// One look at `now_ns`; publishes facts and raises causes.
  void step(std::int64_t now_ns) noexcept;

 private:
  thermal::StepInput look(std::int64_t now_ns, std::uint32_t link_events) noexcept;
  void follow_state(const thermal::StepInput& input) noexcept;
  CauseSet judge_firmware(std::uint32_t link_events, std::int64_t now_ns) noexcept;
  CauseSet judge_heat_up(std::int64_t now_ns) noexcept;
  CauseSet judge_currents(const thermal::StepInput& input) noexcept;
  void follow_models() noexcept;
  [[nodiscard]] bool targets_were_zero() const noexcept;
  void follow_drift(const thermal::StepReport& report, std::int64_t now_ns) noexcept;
  CauseSet judge_probation(const thermal::StepInput& input, MonitorFacts& facts) noexcept;
  void judge_stop(const thermal::StepInput& input, std::uint32_t link_events,
                  MonitorFacts& facts) noexcept;
  void raise(CauseSet causes) noexcept;
  void record_verdicts(const thermal::StepReport& report) noexcept;
  void record_current(std::size_t heater, const thermal::CurrentView& view,
                      const thermal::CurrentFinding& found) noexcept;
  void record_samples(std::int64_t now_ns) noexcept;
  [[nodiscard]] bool may_be_hot(const thermal::StepInput& input,
                                std::uint32_t possibly_hot) const noexcept;
  [[nodiscard]] std::int64_t window_ns() const noexcept;
  [[nodiscard]] bool on_guard() const noexcept;
  [[nodiscard]] bool has_halted() const noexcept;

  GuardCore& core_;
  PrinterRuntime& printer_;
  DetectorMemory& memory_;
  EventQueue& events_;
  SampleQueue& samples_;
  const Clock& clock_;
  thermal::ThermalMonitor rules_;
  thermal::CoolingProof cooling_;
  thermal::SignOfHeat heat_;
  thermal::ProbationWatch probation_;
  machine::Memory machine_;
  PrinterReadings readings_;
  std::vector<thermal::CurrentDetector> currents_;  ///< In the order of printer.own_currents.
  std::uint32_t models_serial_ = 0;
  bool orphan_ = false;  ///< An earlier run of the guard ended while it heated by itself.
  std::int64_t drift_seen_ns_ = 0;
  std::int64_t sampled_ns_ = 0;
};

}  // namespace firebreak::guard
