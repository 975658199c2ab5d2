#include "tests/thermal/anchors/anchor.h"

// Marlin 2.1. Sources: Marlin/Configuration_adv.h (THERMAL_PROTECTION_PERIOD 40 s, _HYSTERESIS 4;
// bed and chamber 20 s, 2; WATCH_TEMP_PERIOD 40 s, _INCREASE 2; WATCH_BED_TEMP_PERIOD 60 s,
// _INCREASE 2; THERMAL_PROTECTION_VARIANCE_MONITOR, off by default); Marlin/src/module/
// temperature.cpp and .h for their meaning: the runaway rule begins when the target has first been
// met, any change of the target starts it again; WATCH is armed only below target - (increase +
// hysteresis + 1). HEATER_0_MINTEMP 5 acts only with a target.

namespace firebreak::thermal_bench {

namespace {

constexpr double lowest_celsius = 5;

class Marlin final : public Anchor {
 public:
  Marlin(const AnchorSetup& setup, bool variance)
      : hotend_(setup.kind == HeaterKind::hotend),
        variance_(variance),
        limit_(setup.limit_celsius),
        hysteresis_((hotend_ ? 4 : 2) * setup.scale),
        period_s_((hotend_ ? 40 : 20) * setup.scale),
        watch_s_((hotend_ ? 40 : 60) * setup.scale) {}

  bool step(const AnchorSample& now) override {
    if (now.reading >= limit_) return true;
    if (now.target > 0 && now.reading <= lowest_celsius) return true;
    if (now.target != target_) change_target(now);
    return runaway(now) || watch(now) || never_changes(now);
  }
  [[nodiscard]] double period_s() const override { return 0.2; }

 private:
  void change_target(const AnchorSample& now) {
    const bool raised = now.target > target_;
    target_ = now.target;
    met_ = false;
    since_s_ = now.t_s;
    if (raised || watching_) arm_watch(now);
  }
  bool runaway(const AnchorSample& now) {
    if (target_ <= 0) return false;
    if (!met_) {
      met_ = now.reading >= target_;
      since_s_ = now.t_s;
      return false;
    }
    if (now.reading >= target_ - hysteresis_) since_s_ = now.t_s;
    return now.t_s - since_s_ >= period_s_;
  }
  void arm_watch(const AnchorSample& now) {
    watching_ = target_ > 0 && now.reading < target_ - (watch_gain + hysteresis_ + 1);
    watch_goal_ = now.reading + watch_gain;
    watch_ends_s_ = now.t_s + watch_s_;
  }
  bool watch(const AnchorSample& now) {
    if (!watching_) return false;
    if (now.reading >= watch_goal_) {
      arm_watch(now);
      return false;
    }
    return now.t_s >= watch_ends_s_;
  }
  bool never_changes(const AnchorSample& now) {
    if (!variance_) return false;
    if (now.reading != same_ || target_ <= 0) {
      same_ = now.reading;
      same_since_s_ = now.t_s;
    }
    return now.t_s - same_since_s_ >= period_s_;
  }

  static constexpr double watch_gain = 2;
  bool hotend_, variance_;
  double limit_, hysteresis_, period_s_, watch_s_;
  double target_ = 0, since_s_ = 0, watch_goal_ = 0, watch_ends_s_ = 0;
  double same_ = -1000, same_since_s_ = 0;
  bool met_ = false, watching_ = false;
};

}  // namespace

std::unique_ptr<Anchor> make_marlin(const AnchorSetup& setup) {
  return std::make_unique<Marlin>(setup, false);
}
std::unique_ptr<Anchor> make_marlin_variance(const AnchorSetup& setup) {
  return std::make_unique<Marlin>(setup, true);
}

}  // namespace firebreak::thermal_bench
