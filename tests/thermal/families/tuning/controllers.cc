#include <algorithm>
#include <cmath>

#include "tests/thermal/families/tuning/tuning.h"

namespace firebreak::thermal_bench::tuning {

namespace {

/// PID with its integral held within what the output can use; as Klipper, and with `functional_k`
/// as Marlin: full power while further below than that, off while further above.
class Pid final : public CopiedController<Pid> {
 public:
  Pid(double gain, double integral_s, double derivative_s, double functional_k, double most)
      : gain_(gain),
        integral_s_(integral_s),
        derivative_s_(derivative_s),
        functional_k_(functional_k),
        most_(most) {}

  double step(const ControlInput& in) override {
    if (in.target <= 0) {
      sum_ = slope_ = 0;
      last_ = in.reading;
      return 0;
    }
    const double error = in.target - in.reading;
    slope_ += ((in.reading - last_) / in.dt_s - slope_) * std::min(1.0, in.dt_s / 1.0);
    last_ = in.reading;
    if (functional_k_ > 0 && std::fabs(error) > functional_k_) {
      sum_ = 0;
      return error > 0 ? most_ : 0;
    }
    const double sum = sum_ + error * in.dt_s * gain_ / integral_s_;
    const double wanted = gain_ * error + sum - gain_ * derivative_s_ * slope_;
    const double duty = std::clamp(wanted, 0.0, most_);
    if (duty == wanted) sum_ = std::clamp(sum, 0.0, most_);
    return duty;
  }
  [[nodiscard]] double period_s() const override { return 0.3; }

 private:
  double gain_, integral_s_, derivative_s_, functional_k_, most_;
  double sum_ = 0, slope_ = 0, last_ = 25;
};

class BangBang final : public CopiedController<BangBang> {
 public:
  BangBang(double half_band, double period) : half_band_(half_band), period_(period) {}
  double step(const ControlInput& in) override {
    if (in.target <= 0 || in.reading >= in.target + half_band_) on_ = false;
    if (in.target > 0 && in.reading <= in.target - half_band_) on_ = true;
    return on_ ? 1 : 0;
  }
  [[nodiscard]] double period_s() const override { return period_; }

 private:
  double half_band_, period_;
  bool on_ = false;
};

/// Model-predictive: a first-order model follows the reading; its ambient takes up what is not
/// explained; the duty is what brings the model to the target within some seconds.
class Mpc final : public CopiedController<Mpc> {
 public:
  Mpc(double rise, double loss_per_s, double lag_s, double horizon_s)
      : rise_(rise), loss_(loss_per_s), lag_s_(lag_s), horizon_s_(horizon_s) {}

  double step(const ControlInput& in) override {
    if (!begun_) {
      begun_ = true;
      block_ = sensor_ = in.reading;
      ambient_ = std::min(in.reading, 30.0);
    }
    block_ += (rise_ * duty_ - loss_ * (1 + 0.3 * in.fan) * (block_ - ambient_)) * in.dt_s;
    sensor_ += (block_ - sensor_) * std::min(1.0, in.dt_s / lag_s_);
    const double error = in.reading - sensor_;
    const double taken = error * std::min(1.0, in.dt_s / 10);
    block_ += taken;
    sensor_ += taken;
    if (duty_ > 0.02 && duty_ < 0.98) ambient_ += error * in.dt_s * 0.4;
    const double wanted =
        (in.target - block_) / horizon_s_ + loss_ * (1 + 0.3 * in.fan) * (in.target - ambient_);
    duty_ = in.target > 0 ? std::clamp(wanted / rise_, 0.0, 1.0) : 0;
    return duty_;
  }
  [[nodiscard]] double period_s() const override { return 0.2; }

 private:
  double rise_, loss_, lag_s_, horizon_s_;
  double block_ = 25, sensor_ = 25, ambient_ = 25, duty_ = 0;
  bool begun_ = false;
};

}  // namespace

std::unique_ptr<Controller> draw_controller(Random& random, const StepResponse& response,
                                            double step_celsius, bool bang_bang_allowed) {
  const double kind = random.uniform();
  if (bang_bang_allowed && kind < 0.35) {
    return std::make_unique<BangBang>(random.uniform(0.3, 2), random.chance(0.5) ? 5 : 0.5);
  }
  if (kind < 0.75 || response.dead_s > 8) {
    const double gain = random.uniform(0.4, 0.7) / (response.slope * response.dead_s);
    const double functional = random.chance(0.5) ? 10 : 0;
    return std::make_unique<Pid>(gain, response.dead_s * random.uniform(6, 12),
                                 response.dead_s * random.uniform(0.3, 0.5), functional, 1.0);
  }
  const double lost = std::clamp(1 - response.end_slope / response.slope, 0.05, 0.9);
  const double loss = lost * response.slope / (step_celsius - 25);
  return std::make_unique<Mpc>(response.slope, loss, response.dead_s, 2 + 2 * response.dead_s);
}

}  // namespace firebreak::thermal_bench::tuning
