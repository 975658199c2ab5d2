#pragma once

#include "agent/guard/thermal/detector.h"
#include "agent/guard/thermal/settled_rise.h"

namespace firebreak::guard::thermal {

struct IdleRiseState {
  SettledRiseState rise;
  float last =
      impossible_low_celsius;  ///< The reading before: a fall counts when two readings show it.
  std::uint32_t readings = 0;  ///< In a row that have risen too far.
  Rule found = Rule::none;
};

/// Heat that nobody asks for: target 0, or above the target at duty 0, and the reading climbs over
/// its lowest (hotend 6 K, or 3 K while it climbs faster than 1 K/s with target 0; bed 4 K, chamber
/// 15 K; in two readings). Creep of a lagging sensor right
/// after power off, and slow warming by the surroundings, are allowed for; see constants.h. Acts
/// while latched as well.
class IdleRiseDetector final : public Detector {
 public:
  IdleRiseDetector(const HeaterProfile& profile, IdleRiseState& state) noexcept;
  Finding step(const HeaterView& view) noexcept override;

 private:
  bool hotend_;
  SettledRise rise_;
  IdleRiseState& state_;
};

}  // namespace firebreak::guard::thermal
