#include <algorithm>
#include <cmath>

#include "tests/thermal/anchors/anchor.h"

// RepRapFirmware 3.6. Sources: src/Heating/LocalHeater.cpp, FOPDT.cpp, RepRapFirmware's Heat.h
// (each 0.25 s; model rate = R·pwm - (K0·(dT/100)^1.35 + Kfan·fan·dT/100); while heating, after
// twice the dead time, as soon as the expected rate over the time since the last good look makes 3
// K, a rise below 0.6 of it (bed 0.3) counts as a quarter second of fault; expected on purpose low:
// full fan, a room of 15 °C, the lower of the duty and its 5 s mean; while stable, more than 15 K
// off above 45 °C counts; 5 s of it, net, is a fault; more than three bad readings are one); docs:
// M570 (P5 T15), M307, M143, M303 (tuned about the target). Cooling down and off are not checked.

namespace firebreak::thermal_bench {

namespace {

constexpr double sample_s = 0.25;
constexpr double close_kelvin = 1.0;
constexpr double checked_above_celsius = 45;
constexpr double low_room_celsius = 15;
constexpr double duty_mean_s = 5;
constexpr double least_expected_kelvin = 3;
constexpr double impossible_low = -10;
constexpr int bad_readings = 3;

class RepRap final : public Anchor {
 public:
  explicit RepRap(const AnchorSetup& setup)
      : limit_(setup.limit_celsius),
        excursion_(15 * setup.scale),
        fault_s_(5 * setup.scale),
        least_share_((setup.kind == HeaterKind::hotend ? 0.6 : 0.3) / setup.scale),
        air_(setup.air_celsius),
        rate_(setup.response.end_slope + setup.response.fall),
        dead_s_(setup.response.dead_s) {
    const double hundreds = (setup.tuned_at_celsius - air_) / 100;
    loss_ = std::max(0.001, setup.response.fall) / std::pow(hundreds, 1.35);
    fan_ = std::max(0.0, setup.response.fall_fan - setup.response.fall) / hundreds;
  }

  bool step(const AnchorSample& now) override {
    mean_duty_ += (now.duty - mean_duty_) * sample_s / duty_mean_s;
    const bool bad = now.reading < impossible_low || now.reading > 1000;
    bad_ = bad ? bad_ + 1 : 0;
    if (bad_ > bad_readings) return true;
    if (bad) return false;
    over_ = now.reading >= limit_ ? over_ + 1 : 0;
    if (over_ >= 2) return true;
    if (now.target != target_) choose_mode(now);
    switch (mode_) {
      case Mode::off: return false;
      case Mode::cooling:
        if (now.reading <= target_ + close_kelvin) mode_ = Mode::stable;
        return false;
      case Mode::heating: return heat(now);
      case Mode::stable: return hold(now);
    }
    return false;
  }
  [[nodiscard]] double period_s() const override { return sample_s; }

 private:
  enum class Mode { off, heating, cooling, stable };

  void choose_mode(const AnchorSample& now) {
    target_ = now.target;
    fault_time_s_ = 0;
    began_s_ = now.t_s;
    look_good(now);
    if (target_ <= 0) {
      mode_ = Mode::off;
    } else if (now.reading < target_ - close_kelvin) {
      mode_ = Mode::heating;
    } else {
      mode_ = now.reading > target_ + close_kelvin ? Mode::cooling : Mode::stable;
    }
  }
  void look_good(const AnchorSample& now) {
    good_ = now.reading;
    good_s_ = now.t_s;
  }
  [[nodiscard]] double expected_rate(const AnchorSample& now) const {
    const double hundreds = std::max(0.0, now.reading - low_room_celsius) / 100;
    const double duty = std::min(now.duty, mean_duty_);
    return rate_ * duty - loss_ * std::pow(hundreds, 1.35) - fan_ * hundreds;
  }
  bool heat(const AnchorSample& now) {
    if (now.reading >= target_ - close_kelvin) {
      mode_ = Mode::stable;
      fault_time_s_ = 0;
      return false;
    }
    if (now.t_s - began_s_ < 2 * dead_s_) {
      look_good(now);
      return false;
    }
    const double expected = expected_rate(now) * (now.t_s - good_s_);
    if (expected < least_expected_kelvin) return false;
    if (now.reading - good_ < least_share_ * expected) {
      fault_time_s_ += sample_s;
    } else {
      look_good(now);
      fault_time_s_ = std::max(0.0, fault_time_s_ - sample_s);
    }
    return fault_time_s_ > fault_s_;
  }
  bool hold(const AnchorSample& now) {
    const bool off =
        std::fabs(now.reading - target_) > excursion_ && target_ > checked_above_celsius;
    fault_time_s_ = std::max(0.0, fault_time_s_ + (off ? sample_s : -sample_s));
    return fault_time_s_ > fault_s_;
  }

  double limit_, excursion_, fault_s_, least_share_, air_, rate_, dead_s_;
  double loss_ = 0, fan_ = 0;
  int bad_ = 0, over_ = 0;
  double target_ = 0, began_s_ = 0, fault_time_s_ = 0, good_ = 0, good_s_ = 0, mean_duty_ = 0;
  Mode mode_ = Mode::off;
};

}  // namespace

std::unique_ptr<Anchor> make_reprap(const AnchorSetup& setup) {
  return std::make_unique<RepRap>(setup);
}

}  // namespace firebreak::thermal_bench
