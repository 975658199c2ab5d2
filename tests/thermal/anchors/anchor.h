#pragma once

#include <memory>

#include "tests/thermal/step_test.h"
#include "tests/thermal/trace.h"

namespace firebreak::thermal_bench {

/// What a firmware's tuning knows of one heater, from its own calibration on the healthy machine,
/// and how strict it is.
struct AnchorSetup {
  HeaterKind kind = HeaterKind::hotend;
  double limit_celsius = 290;
  double watts = 40;
  double tuned_at_celsius = 210;
  double air_celsius = 25;
  StepResponse response;
  double scale = 1;  ///< Times every threshold and period that is not a limit (for the curves).
};

/// What a firmware measures and does at one moment.
struct AnchorSample {
  double t_s = 0;
  double reading = 0;
  double target = 0;
  double duty = 0;
  double fan = 0;
};

/// One firmware's protection of one heater: an implementation of our own after its documented
/// behaviour and constants. step() is called at the firmware's own rate; true is its fault.
class Anchor {
 public:
  virtual ~Anchor() = default;
  virtual bool step(const AnchorSample& sample) = 0;
  [[nodiscard]] virtual double period_s() const = 0;
};

std::unique_ptr<Anchor> make_klipper(const AnchorSetup& setup);
std::unique_ptr<Anchor> make_marlin(const AnchorSetup& setup);
/// Marlin with the optional monitor of a reading that never changes.
std::unique_ptr<Anchor> make_marlin_variance(const AnchorSetup& setup);
std::unique_ptr<Anchor> make_prusa(const AnchorSetup& setup);
std::unique_ptr<Anchor> make_reprap(const AnchorSetup& setup);
/// Only the absolute limits: what is left of every firmware for a chamber, whose defaults for it
/// do not fit any chamber (2 K in 20 s) and are set by its owner.
std::unique_ptr<Anchor> make_limits(const AnchorSetup& setup);

}  // namespace firebreak::thermal_bench
