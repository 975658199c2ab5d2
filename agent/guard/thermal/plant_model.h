#pragma once

#include "agent/guard/thermal/detector.h"
#include "agent/guard/thermal/heater_model.h"

namespace firebreak::guard::thermal {

/// A reading that leapt waits for the next to confirm it: a spike comes back, a fault does not.
/// What then goes on the same way is judged at once.
enum class Leap : std::uint32_t { none, waits, goes_up, goes_down };

/// What a PlantModel remembers of its heater. Every field has bounds that step() enforces, so that
/// neither a long fault nor a damaged bit can move the prediction further than those.
struct PlantState {
  std::int64_t at_ns = 0;             ///< Of the last reading taken in; 0 = none.
  std::int64_t settled_since_ns = 0;  ///< Near a steady target since; 0 = it is not.
  std::int64_t idle_since_ns = 0;     ///< Without a target since; 0 = it has one.
  float celsius = 0;
  float target = 0;
  float duty = 0;        ///< At the last reading; NaN = not known.
  float heater_lag = 0;  ///< Duty behind the first lag, and behind both.
  float sensor_lag = 0;
  float fan = 0;              ///< Behind the sensor's lag.
  float flow = 0;             ///< Behind the sensor's lag, mm³/s.
  float reservoir = 0;        ///< Tr, °C: follows the reading alone, never the error.
  float reservoir_doubt = 0;  ///< K that Tr may be off; dies away with its lag.
  float loss_scale = 1;       ///< Learned near the target, bounded; see plant_model.cc.
  float ambient = 25;         ///< Ta, bounded around the model's.
  float stepped = 0;          ///< Sum of the duty's steps, signed, that dies away.
  float untimed = 0;          ///< Sum of squares of what a step's unknown moment may hide, s².
  Leap leap = Leap::none;     ///< Whether the last readings leapt.
  float waiting_kelvin = 0;   ///< By which the leap that waits surprised, signed.
  float waiting_s = 0;        ///< From the last reading taken in to the leap that waits …
  float waiting_duty = 0;     ///< … and the duty reported with it; NaN = not known.
};

/// Predicts one heater one reading at a time and says what part of full power its reading cannot
/// explain. O(1), no allocation. Monitor thread.
class PlantModel {
 public:
  PlantModel(const HeaterProfile& profile, const HeaterModel& model, PlantState& state) noexcept;

  /// Takes in the view of a step; not judged unless it holds a fresh reading that follows another
  /// within 15 s with a duty that is known or can be assumed.
  HeatBalance step(const HeaterView& view) noexcept;

  [[nodiscard]] const HeaterModel& model() const noexcept { return model_; }
  /// A newly approved model; the state goes on.
  void use(const HeaterModel& model) noexcept {
    model_ = model;
    loss_at_kelvin_ = unknown;
  }

 private:
  [[nodiscard]] float duty_of(const HeaterView& view) const noexcept;
  void repair(std::int64_t now_ns) noexcept;
  [[nodiscard]] bool seen_before(Leap way, float surprise_kelvin, float dt) const noexcept;
  void restart(const HeaterView& view, float duty) noexcept;
  [[nodiscard]] float follow_duty(PlantState& s, float to, float dt) const noexcept;
  [[nodiscard]] float felt_power(PlantState& s, float duty, float dt) const noexcept;
  void widen(HeatBalance& balance, const HeaterView& view, float loss_part, float flow_part,
             float above, float stepped) const noexcept;
  void follow_room(const HeaterView& view, float dt) noexcept;
  [[nodiscard]] float loss_at(float celsius) noexcept;
  void learn_loss(const HeaterView& view, const HeatBalance& balance, float loss_part) noexcept;

  HeaterKind kind_;
  HeaterModel model_;
  PlantState& state_;
  float loss_at_kelvin_ = unknown;  ///< Above the room: of `loss_`, which costs a power.
  float loss_ = 0;
};

}  // namespace firebreak::guard::thermal
