#pragma once

#include "agent/guard/thermal/predicted_move.h"

namespace firebreak::guard::thermal {

/// How often reading and duty repeated once more.
struct RepeatCount {
  float seen = 0;
  float repeated = 0;
};

struct StillState {
  float value = 0;            ///< Of the run.
  float before = 0;           ///< The reading before the last.
  float last = 0;             ///< The last reading.
  std::uint32_t run = 0;      ///< Repeats of `value` so far.
  std::int64_t since_ns = 0;  ///< First reading of the run; 0 = none.
  float waiting_squares = 0;  ///< Of the run, not learned before it ends.
  float waiting = 0;
  float block_squares = 0;  ///< Of second differences, of a block of readings not yet full, K².
  float block = 0;          ///< Readings in it.
  float squares = 0;        ///< Mean square of second differences of the quietest block, K².
  float blocks = 0;         ///< Full ones, bounded.
  float settled_s = 0;      ///< Time near the target in runs that have ended, bounded.
  float step = 1;           ///< Smallest change seen, K.
  float longest_s = 0;      ///< Longest run that ended by itself, dies away.
  float duty = unknown;     ///< Last reported.
  float duty_step = 1;      ///< Smallest change of the duty seen between off and full.
  PredictedMoveState move;
  std::uint32_t pair_run = 0;  ///< Repeats so far of reading and duty together.
  float evidence = 0;          ///< Logarithm of alive over frozen, from these; at most 0.
  RepeatCount waiting_early, waiting_late;  ///< Of the run, not learned before it ends.
  RepeatCount early;                        ///< After one or two repeats of both.
  RepeatCount late;                         ///< After `still_pair_run` repeats of both.
  float by_air_and_flow = 0;                ///< At the last reading, K/s.
  float disturbed = 0;        ///< K/s² by which fan and flow change the heater now …
  float disturbed_usual = 0;  ///< … and usually.
  Rule found = Rule::none;
};

/// D4: a heated reading that repeats to the last digit, over 12 s and over twice (2.: three times)
/// the longest run that ended by itself, and
///
/// 1. noise:  sigma² = mean((T - 2 T' + T'')²) / 6 - d² / 12,  q = erf(d / (2 sqrt(2) sigma)),
///            q^run < 1e-9; the mean is of the quietest 30 readings; or
/// 2. pairs:  the sum of ln(r / 0.9) for each repeat of reading and duty together, and of
///            ln((1 - r) / 0.1) for each change of the duty alone (never over 0), is below ln 1e-9
///            (Wald's sequential test of a live reading against a frozen one); or
/// 3. duty, fan and flow must have moved it (predicted_move.h).
///
/// 4. on its way to a target it has repeated twice over 4 s while the model expects 3 K (bed 1.5 K)
///    and more, and 3. says that it must have moved: at any interval, and without the rest.
///
/// d is the smallest change that the sensor's path has shown, sigma its noise without slow moves
/// (second differences) and without rounding, q the chance that a reading in the middle of a step
/// repeats: the worst case, since a good controller may hold it there. What a print stirs up is no
/// noise: the quietest block is nearest to it. Before 10 minutes near the target in runs that have
/// ended, 1. needs 1e-18, and 2. and 3. are off. r is how often both repeat once more in a long
/// run, two standard errors up; a duty shows what its controller saw below the last digit. On a
/// hotend
/// 1. and 2. count only while fan and flow stir it as they usually do (1. also where the flow is
/// unknown). All of it is learned only near the target and from runs that have ended, so that a
/// frozen reading never teaches. Off where reports are coarser than 0.5 K or slower than 2.5 s
/// (control is then as fast as they are); on a chamber, where a door moves the air, 1. alone. Late
/// where noise is far below a step and the duty is as still.
class StillDetector final : public Detector {
 public:
  StillDetector(const HeaterProfile& profile, StillState& state) noexcept;
  Finding step(const HeaterView& view) noexcept override;

 private:
  void repair(std::int64_t now_ns) noexcept;
  void end_run() noexcept;
  void learn_run(double lasted_s) noexcept;
  void learn_duty_step(float duty) noexcept;
  void follow_disturbance(const HeaterView& view) noexcept;
  void learn_noise() noexcept;
  [[nodiscard]] bool stirred_as_usual(const HeaterView& view) const noexcept;
  void count_pair(const HeaterView& view, bool same_reading) noexcept;
  [[nodiscard]] float pair_chance() const noexcept;
  [[nodiscard]] bool must_have_moved(const HeaterView& view) noexcept;
  [[nodiscard]] float repeat_chance() const noexcept;
  [[nodiscard]] bool cannot_be_alive(const HeaterView& view, bool moved) const noexcept;
  [[nodiscard]] bool stopped_on_its_way(const HeaterView& view, bool moved) const noexcept;
  Rule judge(const HeaterView& view) noexcept;

  HeaterKind kind_;
  StillState& state_;
};

}  // namespace firebreak::guard::thermal
