#pragma once

namespace firebreak::guard::thermal {

/// What one reading says of its heater's power, found once and judged by several detectors.
/// Fractions are of full power at the heater's present temperature.
struct HeatBalance {
  bool judged = false;        ///< False: no fresh reading, a gap, or a duty that nobody knows.
  bool learned = false;       ///< The model was learned from this heater.
  bool confirmed = false;     ///< The reading before went the same way, and waited for this one.
  bool widened = false;       ///< Fan, flow or duty is unknown: the doubts are larger for it.
  float seconds = 0;          ///< Since the reading before.
  float unexplained = 0;      ///< (seen - predicted rate) / full-power rate; above 0 = more heat.
  float power = 0;            ///< Duty as the sensor feels it now, behind the lags.
  float loss_part = 0;        ///< What it loses to the air, as a fraction of full power.
  float rise = 1;             ///< K/s of full power at this temperature.
  float doubt_up = 0;         ///< How much of `unexplained` above 0 the model itself may cause.
  float doubt_down = 0;       ///< The same below 0.
  float slack_s = 0;          ///< Full-power seconds that the timing of duty steps leaves open.
  float expected_rate = 0;    ///< K/s that the model predicts.
  float seen_rate = 0;        ///< K/s from the reading before to this one.
  float coming = 0;           ///< K that a rising reading's lags still hold back.
  float by_air_and_flow = 0;  ///< K/s that part fan and plastic take away.
  float fall_by_cooling = 0;  ///< K/s that it would lose without power.
};

}  // namespace firebreak::guard::thermal
