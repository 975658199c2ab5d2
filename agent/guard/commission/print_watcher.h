#pragma once

#include <array>
#include <deque>
#include <optional>
#include <vector>

#include "agent/guard/core/guard_core.h"
#include "agent/guard/thermal/model_fit.h"

namespace firebreak::guard::commission {

/// Collects the heat-ups of ordinary prints of one printer: from cold, through heating and the
/// first part of the print, as far as the guard knows what part fan and flow do (a host prints
/// through the proxy). Only reads. Told the time; one thread.
class PrintWatcher {
 public:
  explicit PrintWatcher(const PrinterRuntime& printer);

  /// One look, at 10 Hz.
  void step(std::int64_t now_ns);

  struct HeatUp {
    std::size_t heater = 0;
    std::vector<thermal::HeatUpSample> samples;
  };
  /// A heat-up that is complete, once. What it is worth the fit says.
  [[nodiscard]] std::optional<HeatUp> take();

  /// Forgets what was begun: the guard heats by itself, or the printer was stopped.
  void forget();

 private:
  struct Recorder {
    bool heating = false;     ///< A target was seen since it was cold.
    bool spoilt = false;      ///< Began hot, or has a gap: waits for the next cold start.
    std::uint32_t taken = 0;  ///< Report that was looked at last.
    std::int64_t began_ns = 0;
    std::int64_t last_ns = 0;
    std::vector<thermal::HeatUpSample> samples;
  };
  void follow(std::size_t heater, const HeaterReading& reading);
  [[nodiscard]] bool complete(const Recorder& recorder, HeaterKind kind) const;

  const PrinterRuntime& printer_;
  PrinterReadings readings_;
  std::array<Recorder, max_heaters> recorders_{};
  std::deque<HeatUp> ready_;
};

}  // namespace firebreak::guard::commission
