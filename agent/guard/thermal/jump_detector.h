#pragma once

#include "agent/guard/config/guard_config.h"
#include "agent/guard/thermal/detector.h"

namespace firebreak::guard::thermal {

struct JumpState {
  float accepted = 0;  ///< The last reading that physics allows.
  std::int64_t accepted_at_ns = 0;
  std::uint32_t outliers = 0;  ///< In a row.
  std::uint32_t spikes = 0;    ///< Single outliers lately.
  std::int64_t spike_at_ns = 0;
  float allowed = 0;
  Rule found = Rule::none;
};

/// Readings that move further than heating or cooling can: two in a row, or three single spikes
/// within a minute of each other. After a verdict the new level is accepted, so that the rule ends
/// when the readings are steady again; the sensor stays doubted until a reset.
class JumpDetector final : public Detector {
 public:
  JumpDetector(const HeaterProfile& profile, JumpState& state) noexcept;
  Finding step(const HeaterView& view) noexcept override;

 private:
  [[nodiscard]] float allowance(const HeaterView& view) const noexcept;
  void take(const HeaterView& view) noexcept;

  float rise_;      ///< K/s.
  float fall_tau_;  ///< s.
  JumpState& state_;
};

}  // namespace firebreak::guard::thermal
