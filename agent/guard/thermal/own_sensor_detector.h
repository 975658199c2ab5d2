#pragma once

#include "agent/guard/thermal/detector.h"

namespace firebreak::guard::thermal {

struct OwnSensorState {
  std::int64_t apart_since_ns = 0;  ///< 0 = together.
  std::int64_t seen_at_ns = 0;
  std::uint32_t high = 0;
  Rule found = Rule::none;
};

/// The board's own sensor against the printer's: more than 15 K apart for 10 s doubts the
/// printer's; at or over the heater's limit in two readings is a trip on its own.
class OwnSensorDetector final : public Detector {
 public:
  OwnSensorDetector(const HeaterProfile& profile, OwnSensorState& state) noexcept;
  Finding step(const HeaterView& view) noexcept override;

 private:
  float limit_;
  OwnSensorState& state_;
  std::int64_t watching_since_ns_ = 0;  ///< A sensor has a moment for its first reading.
};

}  // namespace firebreak::guard::thermal
