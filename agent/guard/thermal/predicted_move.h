#pragma once

#include "agent/guard/thermal/detector.h"

namespace firebreak::guard::thermal {

/// Plain data of a PredictedMove.
struct PredictedMoveState {
  float seconds = 0;  ///< Since the run began; 0 = no run.
  float moved = 0;    ///< P: what the model predicts for it, K.
  float doubted = 0;  ///< What the doubts' changes add up to so far, signed, K.
  float rounded = 0;  ///< What the coarseness of the duty adds up to, K.
  float up = 0;       ///< The model's own doubts when the run began, fractions of full power.
  float down = 0;
  float lowest = 0;  ///< Of the constant error that is still possible, K/s.
  float highest = 0;
};

/// Whether a reading that stands still can be alive although duty, fan and flow move.
///
/// While a reading repeats, the model goes on predicting how far it must have moved: P(t). A model
/// is wrong by a constant rate b (a draft, a room, its own constants), bounded by its doubts, and
/// by E(t): the doubts of power, fan and flow as far as they have changed since the run began,
/// summed up with their signs (a wrong constant errs the same way each time), and half a step of
/// the reported duty. Alive is possible while one b keeps the reading in its step for the whole
/// run:
///
///   |P(t) + b t| <= w + E(t) for every t so far,   -(k + down) a <= b <= (k + up) a
///
/// Each reading narrows the interval of b; when it is empty, nothing but a frozen reading is left.
/// A quiet heater at constant duty, fan and flow never empties it.
class PredictedMove {
 public:
  explicit PredictedMove(PredictedMoveState& state) noexcept : state_(state) {}

  void reset() noexcept { state_ = {}; }
  /// Takes in one more repeat; `width_kelvin` is w, `duty_step` the coarseness of the reported
  /// duty. True if the reading cannot be alive.
  bool step(const HeatBalance& balance, float width_kelvin, float duty_step) noexcept;

 private:
  [[nodiscard]] bool damaged() const noexcept;

  PredictedMoveState& state_;
};

}  // namespace firebreak::guard::thermal
