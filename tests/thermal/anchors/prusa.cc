#include <algorithm>
#include <array>
#include <cmath>

#include "tests/thermal/anchors/anchor.h"

// Prusa MK3, firmware 3.14. Sources: Firmware/temperature.cpp and Firmware/variants/MK3S.h for the
// classic rule (each 2 s: heating must gain 2 K in 18 s, six misses in a row are a fault; bed 3 K
// in 34 s, 2 K above 90 °C, 0.6 K above 105 °C, four misses; within the band of the target once,
// then outside of it for 45 s, bed 360 s, while there is output; band 15 K, bed 5 K) and
// Firmware/temp_model.h for the thermal model (each 0.27 s: predicted step from power and loss,
// error filtered with 0.05, fault at 1.23…1.74 K/s by hotend). Its parameters are calibrated on
// each machine; the threshold is 0.40 of power over heat capacity, between that of the V6 (1.74 of
// 3.14 K/s) and of the Revo (1.23 of 4.55 K/s).

namespace firebreak::thermal_bench {

namespace {

constexpr double lowest_celsius = 10;

class ClassicRule {
 public:
  ClassicRule(bool hotend, double scale)
      : hotend_(hotend),
        band_((hotend ? 15 : 5) * scale),
        longest_s_((hotend ? 45 : 360) * scale),
        window_s_((hotend ? 18 : 34) * scale),
        misses_allowed_(hotend ? 6 : 4) {}

  bool step(const AnchorSample& now) {
    if (now.t_s < next_s_) return false;
    next_s_ = now.t_s + 2 - 0.01;
    if (now.target != target_) {
      target_ = now.target;
      met_ = false;
      misses_ = 0;
      mark_ = now.reading;
      mark_s_ = now.t_s;
    }
    if (target_ <= 0) return false;
    if (!met_) return preheat(now);
    const bool off = std::fabs(now.reading - target_) > band_ && now.duty > 0;
    if (!off) off_since_s_ = now.t_s;
    return now.t_s - off_since_s_ >= longest_s_;
  }

 private:
  bool preheat(const AnchorSample& now) {
    met_ = now.reading > target_ - band_;
    off_since_s_ = now.t_s;
    if (now.t_s - mark_s_ < window_s_) return false;
    misses_ = now.reading - mark_ < least_gain(now.reading) ? misses_ + 1 : 0;
    mark_ = now.reading;
    mark_s_ = now.t_s;
    return misses_ >= misses_allowed_;
  }
  [[nodiscard]] double least_gain(double celsius) const {
    if (hotend_) return 2;
    return celsius <= 90 ? 3 : celsius <= 105 ? 2 : 0.6;
  }

  bool hotend_;
  double band_, longest_s_, window_s_;
  int misses_allowed_;
  double next_s_ = 0, target_ = 0, mark_ = 0, mark_s_ = 0, off_since_s_ = 0;
  bool met_ = false;
  int misses_ = 0;
};

class ThermalModel {
 public:
  explicit ThermalModel(const AnchorSetup& setup)
      : watts_(setup.watts), joule_(setup.watts / setup.response.slope) {
    const double rise = setup.tuned_at_celsius - setup.air_celsius;
    const double lost = std::max(0.02, setup.response.fall);
    still_ = joule_ * lost / rise;
    blown_ = joule_ * std::max(lost, setup.response.fall_fan) / rise;
    air_ = setup.air_celsius;
    lag_ = std::clamp<std::size_t>(static_cast<std::size_t>(setup.response.dead_s / period), 1, 8);
    threshold_ = 0.40 * watts_ / joule_ * setup.scale;
  }
  static constexpr double period = 0.27;

  bool step(const AnchorSample& now) {
    const double loss = still_ + (blown_ - still_) * now.fan;
    const double predicted = (watts_ * now.duty - (now.reading - air_) * loss) * period / joule_;
    past_[at_] = predicted;
    at_ = (at_ + 1) % lag_;
    if (!begun_) {
      begun_ = true;
      last_ = now.reading;
    }
    const double error = now.reading - last_ - past_[at_];
    last_ = now.reading;
    filtered_ += 0.05 * (error - filtered_);
    return std::fabs(filtered_) / period > threshold_;
  }

 private:
  double watts_, joule_, still_ = 0, blown_ = 0, air_ = 25, threshold_ = 1;
  std::size_t lag_ = 8, at_ = 0;
  std::array<double, 8> past_{};
  bool begun_ = false;
  double last_ = 0, filtered_ = 0;
};

class Prusa final : public Anchor {
 public:
  explicit Prusa(const AnchorSetup& setup)
      : hotend_(setup.kind == HeaterKind::hotend),
        limit_(setup.limit_celsius),
        classic_(hotend_, setup.scale),
        model_(setup) {}
  bool step(const AnchorSample& now) override {
    if (now.reading >= limit_ || now.reading < lowest_celsius) return ++outside_ >= 2;
    outside_ = 0;
    const bool model = hotend_ && model_.step(now);
    return classic_.step(now) || model;
  }
  [[nodiscard]] double period_s() const override { return ThermalModel::period; }

 private:
  bool hotend_;
  double limit_;
  ClassicRule classic_;
  ThermalModel model_;
  int outside_ = 0;
};

}  // namespace

std::unique_ptr<Anchor> make_prusa(const AnchorSetup& setup) {
  return std::make_unique<Prusa>(setup);
}

}  // namespace firebreak::thermal_bench
