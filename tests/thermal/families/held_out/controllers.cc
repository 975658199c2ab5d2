#include <algorithm>
#include <cmath>

#include "tests/thermal/families/held_out/held_out.h"

namespace firebreak::thermal_bench::held_out {

namespace {

/// PI with a softened setpoint and feed-forward of fan and flow, as newer firmwares do it; the
/// integral bleeds off while the output is at its end (back-calculation).
class FeedForward final : public CopiedController<FeedForward> {
 public:
  FeedForward(double gain, double integral_s, double hold, double fan_share, double flow_share)
      : gain_(gain),
        integral_s_(integral_s),
        hold_(hold),
        fan_share_(fan_share),
        flow_share_(flow_share) {}

  double step(const ControlInput& in) override {
    if (in.target <= 0) {
      sum_ = 0;
      return 0;
    }
    const double base = hold_ * (in.target - 25) / 185;
    const double known = base * (1 + fan_share_ * in.fan) + flow_share_ * in.flow_mm3_s;
    const double error = in.target - in.reading;
    const double wanted = known + gain_ * error + sum_;
    const double duty = std::clamp(wanted, 0.0, 1.0);
    sum_ += (error * gain_ + (duty - wanted) * 2) * in.dt_s / integral_s_;
    sum_ = std::clamp(sum_, -0.4, 0.4);
    return duty;
  }
  [[nodiscard]] double period_s() const override { return 0.2; }

 private:
  double gain_, integral_s_, hold_, fan_share_, flow_share_;
  double sum_ = 0;
};

/// PID in velocity form: it moves the duty by steps of 1/127 or 1/255 and never jumps.
class Velocity final : public CopiedController<Velocity> {
 public:
  Velocity(double gain, double integral_s, double derivative_s, double steps)
      : gain_(gain), integral_s_(integral_s), derivative_s_(derivative_s), steps_(steps) {}

  double step(const ControlInput& in) override {
    if (in.target <= 0) {
      duty_ = 0;
      e1_ = e2_ = 0;
      return 0;
    }
    smooth_ += (in.reading - smooth_) * std::min(1.0, in.dt_s / 0.8);
    const double error = in.target - smooth_;
    if (error > 12) {
      duty_ = 1;
    } else {
      const double change = gain_ * ((error - e1_) + error * in.dt_s / integral_s_ +
                                     derivative_s_ * (error - 2 * e1_ + e2_) / in.dt_s);
      duty_ = std::clamp(duty_ + change, 0.0, 1.0);
    }
    e2_ = e1_;
    e1_ = error;
    return std::round(duty_ * steps_) / steps_;
  }
  [[nodiscard]] double period_s() const override { return 0.5; }

 private:
  double gain_, integral_s_, derivative_s_, steps_;
  double duty_ = 0, e1_ = 0, e2_ = 0, smooth_ = 25;
};

/// On below, off above, with different bands and a shortest time for each.
class LazyBangBang final : public CopiedController<LazyBangBang> {
 public:
  LazyBangBang(double below, double above, double shortest_s)
      : below_(below), above_(above), shortest_s_(shortest_s) {}
  double step(const ControlInput& in) override {
    held_s_ += in.dt_s;
    if (in.target <= 0) {
      on_ = false;
      return 0;
    }
    const bool wanted = on_ ? in.reading < in.target + above_ : in.reading < in.target - below_;
    if (wanted != on_ && held_s_ >= shortest_s_) {
      on_ = wanted;
      held_s_ = 0;
    }
    return on_ ? 1 : 0;
  }
  [[nodiscard]] double period_s() const override { return 0.5; }

 private:
  double below_, above_, shortest_s_;
  double held_s_ = 1e9;
  bool on_ = false;
};

/// Three levels: full far below, a learned hold near the target, off above.
class ThreeLevel final : public CopiedController<ThreeLevel> {
 public:
  ThreeLevel(double band, double hold) : band_(band), hold_(hold) {}
  double step(const ControlInput& in) override {
    if (in.target <= 0) return 0;
    const double error = in.target - in.reading;
    if (error > band_) return 1;
    if (error < -band_) return 0;
    hold_ = std::clamp(hold_ + 0.0015 * error * in.dt_s, 0.02, 0.95);
    return std::clamp(hold_ * (1 + 0.5 * error / band_), 0.0, 1.0);
  }
  [[nodiscard]] double period_s() const override { return 1.0; }

 private:
  double band_, hold_;
};

double hold_share(const StepResponse& response) {
  return std::clamp(1 - response.end_slope / response.slope, 0.08, 0.8);
}

}  // namespace

std::unique_ptr<Controller> draw_hotend_controller(Random& random, const StepResponse& response,
                                                   double target_celsius) {
  const double gain = random.uniform(0.3, 0.55) / (response.slope * response.dead_s);
  if (random.chance(0.5)) {
    const double hold = hold_share(response) * 185 / (target_celsius - 25);
    return std::make_unique<FeedForward>(gain, response.dead_s * random.uniform(6, 12), hold,
                                         random.uniform(0, 0.3), random.uniform(0, 0.008));
  }
  return std::make_unique<Velocity>(gain, response.dead_s * random.uniform(6, 10),
                                    response.dead_s * random.uniform(0.2, 0.4),
                                    random.chance(0.5) ? 127 : 255);
}

std::unique_ptr<Controller> draw_bed_controller(Random& random, const StepResponse& response) {
  const double kind = random.uniform();
  if (kind < 0.35) {
    return std::make_unique<LazyBangBang>(random.uniform(0.2, 2), random.uniform(0, 0.7),
                                          random.uniform(1, 6));
  }
  if (kind < 0.6) {
    return std::make_unique<ThreeLevel>(random.uniform(0.8, 2), hold_share(response) * 0.8);
  }
  const double gain = random.uniform(0.3, 0.5) / (response.slope * response.dead_s);
  return std::make_unique<Velocity>(gain, response.dead_s * random.uniform(8, 14),
                                    response.dead_s * random.uniform(0.2, 0.4),
                                    random.chance(0.5) ? 127 : 255);
}

}  // namespace firebreak::thermal_bench::held_out
