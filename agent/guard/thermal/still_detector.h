#pragma once

#include "agent/guard/thermal/detector.h"

namespace firebreak::guard::thermal {

struct StillState {
  float value = 0;            ///< Of the run.
  float before = 0;           ///< The reading before the last.
  float last = 0;             ///< The last reading.
  std::uint32_t run = 0;      ///< Repeats of `value` so far.
  std::int64_t since_ns = 0;  ///< First reading of the run; 0 = none.
  float waiting_squares = 0;  ///< Of the run, not learned before it ends.
  float waiting = 0;
  float squares = 0;    ///< Mean square of second differences, K².
  float learned = 0;    ///< Readings behind it, bounded.
  float step = 1;       ///< Smallest change seen, K.
  float longest_s = 0;  ///< Longest run that ended by itself, dies away.
  Rule found = Rule::none;
};

/// D4: a heated reading that repeats to the last digit for longer than chance allows.
///
///   sigma² = mean((T - 2 T' + T'')²) / 6 - d² / 12,  q = erf(d / (2 sqrt(2) sigma))
///   trip when q^run < 1e-9, over 12 s, over twice the longest run that ended by itself
///
/// d is the smallest change that the sensor's path has shown, sigma its noise without slow moves
/// (second differences) and without rounding, q the chance that a reading in the middle of a step
/// repeats: the worst case, since a good controller may hold it there. Both are learned only near
/// the target and from runs that have ended, so that a frozen reading never teaches them. Off
/// where reports are coarser than 0.5 K, and blind where the noise is far below a step.
class StillDetector final : public Detector {
 public:
  StillDetector(const HeaterProfile& profile, StillState& state) noexcept;
  Finding step(const HeaterView& view) noexcept override;

 private:
  void repair(std::int64_t now_ns) noexcept;
  void learn_run(double lasted_s) noexcept;
  [[nodiscard]] float repeat_chance() const noexcept;
  Rule judge(const HeaterView& view) noexcept;

  HeaterKind kind_;
  StillState& state_;
};

}  // namespace firebreak::guard::thermal
