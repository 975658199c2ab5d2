#pragma once

#include "agent/guard/thermal/detector.h"

namespace firebreak::guard::thermal {

struct DriftState {
  float mean = 0;     ///< Unexplained power, 90 s mean.
  float doubt = 0;    ///< What the model may cause, the same mean.
  float seconds = 0;  ///< Judged so far, to fill the mean first; bounded.
  Rule found = Rule::none;
};

/// D6: the 90 s mean of unexplained power is over 0.12 and what the model may cause: a sock that
/// fell, an ageing cartridge, a loose screw, a draft. A warning, for learned models only.
class DriftDetector final : public Detector {
 public:
  DriftDetector(const HeaterProfile& profile, DriftState& state) noexcept;
  Finding step(const HeaterView& view) noexcept override;

 private:
  Rule judge(const HeaterView& view) noexcept;

  HeaterKind kind_;
  DriftState& state_;
};

}  // namespace firebreak::guard::thermal
