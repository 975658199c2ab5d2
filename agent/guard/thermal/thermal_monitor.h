#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "agent/guard/config/guard_config.h"
#include "agent/guard/core/shared.h"
#include "agent/guard/thermal/heater_model.h"
#include "agent/guard/thermal/thermal_state.h"
#include "agent/guard/thermal/verdict.h"

namespace firebreak::guard::thermal {

/// The board's own sensor at one heater.
struct OwnSensorView {
  bool present = false;
  float celsius = unknown;
  std::int64_t at_ns = 0;
};

/// What the rules must know besides the readings.
struct StepInput {
  std::int64_t now_ns = 0;
  /// Latched, or the relay is open: a lack of heat and of reports is then a consequence. Heat
  /// (over limit, idle rise, own sensor over the limit) is judged all the same.
  bool stopped = false;
  bool hold_blind = false;        ///< Probation watches the first report itself.
  bool target_commanded = false;  ///< link_event::host_heats since the last step.
  bool network = false;           ///< See HeaterView.
  bool protection_verified = false;
  bool restarting = false;
  bool mute_model = false;  ///< Watch mode: model-based verdicts are told, and do nothing.
  std::array<OwnSensorView, max_heaters> own{};
};

inline constexpr std::size_t max_verdicts = 24;

/// What one step found, worst first within a heater. Plain data, valid until the next step.
struct StepReport {
  std::array<Verdict, max_verdicts> verdicts{};
  std::size_t count = 0;
  CauseSet trips = 0;              ///< Causes of all trips in `verdicts` that are not muted.
  std::uint32_t trusted = 0;       ///< Bit per heater: fresh (3 s), sensible and not doubted.
  std::uint32_t possibly_hot = 0;  ///< Bit per heater: hot, or not known to be cold.
  std::uint32_t untold = 0;        ///< Verdicts that did not fit; their causes are in `trips`.

  [[nodiscard]] std::span<const Verdict> all() const noexcept { return {verdicts.data(), count}; }
};

/// All rules of one printer. Construct once per printer with the memory of its state; then only
/// the monitor thread calls step(), at 10 Hz. step() neither allocates, locks nor logs.
/// Detection never ends by itself: a verdict is repeated for as long as its condition holds, and
/// the machine keeps the latch.
class ThermalMonitor {
 public:
  /// `state` must outlive the monitor. It is kept if it is of this version and profile (a restarted
  /// guard goes on where it was, with every deadline as old as it is), else it starts fresh.
  /// `models`: one per heater in the profile's order; a missing or senseless one, or one that was
  /// not learned, leaves that heater with the wide priors of its profile.
  ThermalMonitor(const PrinterProfile& profile, ThermalState& state,
                 std::span<const HeaterModel> models = {});
  ~ThermalMonitor();
  ThermalMonitor(ThermalMonitor&&) noexcept;
  ThermalMonitor& operator=(ThermalMonitor&&) = delete;

  const StepReport& step(const StepInput& input, const PrinterReadings& readings) noexcept;

  /// Doubts the sensor of a heater (index), or of all with max_heaters: for verdicts from outside,
  /// as the firmware's own thermal fault. Monitor thread.
  void doubt(std::size_t heater) noexcept;
  [[nodiscard]] bool doubted(std::size_t heater) const noexcept;

  /// After a valid reset: the sensors count again, and no rule remembers what led to the stop.
  void forget() noexcept;

  /// Uses a newly approved model from the next reading on. Monitor thread.
  void use(std::size_t heater, const HeaterModel& model) noexcept;
  [[nodiscard]] const HeaterModel& model(std::size_t heater) const noexcept;
  /// The evidence window of a verdict on this heater: its last minute as the rules saw it, oldest
  /// first, at most Evidence::size; returns how many. No allocation; read it in the step of the
  /// verdict's onset.
  std::size_t evidence(std::size_t heater, std::span<EvidenceSample> out) const noexcept;

  /// Times every threshold of D2, D3 and D4, for the bench's curves of latency against false trips.
  void scale_thresholds(float factor) noexcept { scale_ = factor; }

  [[nodiscard]] std::size_t heater_count() const noexcept;
  /// Seconds without a temperature after which a hot heater is a trip, for screens.
  [[nodiscard]] double blind_after_s(std::size_t heater) const noexcept;
  /// Finest step that a heater's reports have shown, K.
  [[nodiscard]] float quantum(std::size_t heater) const noexcept;

 private:
  struct Heater;

  void look(std::size_t index, const StepInput& input, const PrinterReadings& readings) noexcept;
  void judge(std::size_t index) noexcept;
  void add(std::size_t index, const Finding& finding, const HeaterView& view,
           std::uint32_t& active) noexcept;

  ThermalState& state_;
  std::unique_ptr<Heater[]> heaters_;
  std::size_t count_ = 0;
  std::array<HeaterView, max_heaters> views_{};
  bool mute_model_ = false;
  float scale_ = 1;
  StepReport report_;
};

}  // namespace firebreak::guard::thermal
