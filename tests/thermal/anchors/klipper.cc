#include <algorithm>

#include "tests/thermal/anchors/anchor.h"

// Klipper. Sources: docs/Config_Reference.md, [verify_heater] (max_error 120, hysteresis 5,
// heating_gain 2, check_gain_time 20 s, bed and chamber 60 s); klippy/extras/verify_heater.py (once
// a second); klippy/extras/heaters.py (smooth_time 1 s, a report each 0.3 s);
// klippy/extras/adc_temperature.py (four raw readings outside min_temp…max_temp shut the MCU down).

namespace firebreak::thermal_bench {

namespace {

constexpr double adc_period_s = 0.3;
constexpr double smooth_s = 1.0;
constexpr double check_period_s = 1.0;
constexpr int range_readings = 4;
constexpr double lowest_celsius = 0;

class Klipper final : public Anchor {
 public:
  explicit Klipper(const AnchorSetup& setup)
      : limit_(setup.limit_celsius),
        max_error_(120 * setup.scale),
        hysteresis_(5 * setup.scale),
        gain_(2 / setup.scale),
        gain_time_s_((setup.kind == HeaterKind::hotend ? 20 : 60) * setup.scale) {}

  bool step(const AnchorSample& now) override {
    const bool outside = now.reading > limit_ || now.reading < lowest_celsius;
    outside_ = outside ? outside_ + 1 : 0;
    if (outside_ >= range_readings) return true;
    if (!begun_) smoothed_ = now.reading;
    begun_ = true;
    smoothed_ += (now.reading - smoothed_) * std::min(1.0, adc_period_s / smooth_s);
    if (now.t_s < next_check_s_) return false;
    next_check_s_ = now.t_s + check_period_s - 0.01;
    const bool fault = verify(now.t_s, now.target);
    last_target_ = now.target;
    return fault;
  }
  [[nodiscard]] double period_s() const override { return adc_period_s; }

 private:
  /// Near the target, or off: all is well. Else kelvin-seconds below it add up; a new target is
  /// given the time to be approached, as long as each window brings its gain.
  bool verify(double t_s, double target) {
    if (target <= 0 || smoothed_ >= target - hysteresis_) {
      approaching_ = first_window_ = false;
      if (smoothed_ <= target + hysteresis_) error_ = 0;
      return false;
    }
    error_ += target - hysteresis_ - smoothed_;
    if (!approaching_) {
      if (target == last_target_) return error_ >= max_error_;
      approaching_ = first_window_ = true;
      open_window(t_s);
    } else if (smoothed_ >= goal_) {
      first_window_ = false;
      error_ = 0;
      open_window(t_s);
    } else if (t_s >= window_ends_s_) {
      approaching_ = false;
    } else if (first_window_) {
      // It may still fall at first, from an earlier heating.
      goal_ = std::min(goal_, smoothed_ + gain_);
    }
    return false;
  }
  void open_window(double t_s) {
    goal_ = smoothed_ + gain_;
    window_ends_s_ = t_s + gain_time_s_;
  }

  double limit_, max_error_, hysteresis_, gain_, gain_time_s_;
  int outside_ = 0;
  bool begun_ = false, approaching_ = false, first_window_ = false;
  double smoothed_ = 0, next_check_s_ = 0, last_target_ = 0;
  double error_ = 0, goal_ = 0, window_ends_s_ = 0;
};

}  // namespace

std::unique_ptr<Anchor> make_klipper(const AnchorSetup& setup) {
  return std::make_unique<Klipper>(setup);
}

}  // namespace firebreak::thermal_bench
