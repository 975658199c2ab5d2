#pragma once

#include <cmath>
#include <cstdint>

#include "agent/guard/core/shared.h"
#include "agent/guard/thermal/constants.h"
#include "agent/guard/thermal/heat_balance.h"
#include "agent/guard/thermal/verdict.h"

namespace firebreak::guard::thermal {

/// What one step sees of one heater. All times are CLOCK_MONOTONIC in ns; unknown values are NaN.
struct HeaterView {
  std::int64_t now_ns = 0;
  bool fresh = false;       ///< A temperature came since the last step.
  float celsius = unknown;  ///< The last one.
  float target_celsius = unknown;
  float duty = unknown;            ///< 0…1.
  std::int64_t celsius_at_ns = 0;  ///< 0 = never.
  float quantum = 1;               ///< Finest step that this heater's reports have shown, K.
  float own_celsius = unknown;     ///< The board's own sensor, where there is one.
  std::int64_t own_at_ns = 0;
  bool has_own = false;
  /// Latched, or its relay open: a lack of heat is then our own doing; only heat is news.
  bool stopped = false;
  bool hold_blind = false;        ///< Silence is expected and watched elsewhere (probation).
  bool target_commanded = false;  ///< A target > 0 was seen on its way since the last reading.
  float fan = unknown;            ///< Part fan 0…1.
  float flow = unknown;           ///< Plastic through this heater, mm³/s.
  /// A network printer: its readings come through the uplink, with the age that the source gave.
  bool network = false;
  bool protection_verified = false;  ///< Its firmware is known to protect itself.
  /// Klipper restarts, and every target was 0 when it was last heard (SAVE_CONFIG).
  bool restarting = false;
  bool gap = false;          ///< This reading follows the one before after too long a pause.
  bool arrived = false;      ///< The reading has come to its target since that was set.
  bool supply_fell = false;  ///< All heaters that ask for power miss it (SupplyWatch).
  float scale = 1;      ///< Times the thresholds of D2, D3 and D4; other than 1 on the bench alone.
  HeatBalance balance;  ///< Of this reading; judged only while it is fresh.

  [[nodiscard]] bool heating_asked() const noexcept { return target_celsius > 0; }
};

/// One rule, or a family of rules, watching one heater. The monitor thread calls step() at 10 Hz;
/// implementations neither allocate, lock nor log, take constant time, and keep all that they
/// remember in plain data which is given from outside and outlives the process.
/// A finding is returned for as long as its condition holds.
class Detector {
 public:
  virtual ~Detector() = default;
  virtual Finding step(const HeaterView& view) noexcept = 0;
};

}  // namespace firebreak::guard::thermal
