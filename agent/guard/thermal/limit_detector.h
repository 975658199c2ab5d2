#pragma once

#include "agent/guard/config/guard_config.h"
#include "agent/guard/thermal/detector.h"

namespace firebreak::guard::thermal {

struct LimitState {
  std::uint32_t high = 0;      ///< Readings in a row at or over the limit.
  std::uint32_t low = 0;       ///< Readings in a row below the minimum.
  std::uint32_t nonsense = 0;  ///< Readings in a row that are no temperature.
  Rule found = Rule::none;
};

/// Absolute limits: at or over the profile's limit in two readings, or in one that is 20 K over;
/// below its minimum in two readings while heat is asked for (idle: 10 K below it, else a
/// warning); no number at all in two.
class LimitDetector final : public Detector {
 public:
  LimitDetector(const HeaterProfile& profile, LimitState& state) noexcept;
  Finding step(const HeaterView& view) noexcept override;

 private:
  Rule judge(const HeaterView& view) noexcept;

  float limit_;
  float minimum_;
  LimitState& state_;
};

}  // namespace firebreak::guard::thermal
