#pragma once

#include "agent/guard/thermal/detector.h"

namespace firebreak::guard::thermal {

struct UnexplainedPowerState {
  float up = 0;               ///< S+, full-power seconds.
  float down = 0;             ///< S-.
  float mean = 0;             ///< Unexplained power of the last seconds, for the verdict.
  float lost = 0;             ///< Mean of what is missing beyond a part of the power; > 0: most is.
  float fastest_fall = 0;     ///< K/s below what cooling explains, highest of this excursion.
  std::uint32_t over_up = 0;  ///< Readings in a row over the threshold.
  std::uint32_t over_down = 0;
  Rule found = Rule::none;
};

/// D2: two-sided CUSUM (Page 1954) on the power that a reading cannot explain.
///
///   S+ = max(0, S+ + (u - k0 - doubt_up) dt),  S- = max(0, S- + (-u - k0 - doubt_down) dt)
///   trip when S > h = max(K / a, s) + slack + 1.5 quanta / a, not by one reading alone; S- forgets
///
/// u is a fraction of full power, S full-power seconds: the heat that nobody can account for, in
/// units that hold for a 25 W hotend as for an 800 W bed. A deviation that its controller holds
/// (the reading stays at its target) is no runaway yet and needs a larger S; D6 tells of it.
/// One that will overheat by E (past its target, with what its lags hold back) needs less: h times
/// 12 K / E.
/// Down: the same, unless it is still on its way to the target, or most of what is asked for has
/// been missing for a while (`lost`), which no draft does. A reading that falls faster than any
/// cooling is a sensor that came out, else the heater (or its sensor) is off.
class UnexplainedPowerDetector final : public Detector {
 public:
  UnexplainedPowerDetector(const HeaterProfile& profile, UnexplainedPowerState& state) noexcept;
  Finding step(const HeaterView& view) noexcept override;

 private:
  void repair() noexcept;
  [[nodiscard]] float threshold(const HeaterView& view, float kelvin, float seconds) const noexcept;
  [[nodiscard]] float enough_more(const HeaterView& view) const noexcept;
  float enough_less(const HeaterView& view) noexcept;
  Rule judge(const HeaterView& view) noexcept;

  HeaterKind kind_;
  UnexplainedPowerState& state_;
  float threshold_ = 0;  ///< Of the last finding, for the verdict's text.
};

}  // namespace firebreak::guard::thermal
