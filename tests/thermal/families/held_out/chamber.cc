#include "tests/thermal/families/held_out/held_out.h"

namespace firebreak::thermal_bench::held_out {

namespace {

/// Warm air above, cool air below, walls behind both; the sensor hangs in the warm layer and the
/// heater blows into the cool one.
class StratifiedChamber final : public Plant {
 public:
  explicit StratifiedChamber(Random& random)
      : watts_(random.uniform(120, 400)),
        layer_joule_(random.uniform(80, 250)),
        wall_joule_(random.uniform(1500, 7000)),
        mixing_(watts_ / random.uniform(15, 50)),
        wall_contact_(watts_ / random.uniform(20, 50)),
        loss_(watts_ / random.uniform(60, 120)),
        lag_s_(random.uniform(3, 10)) {}

  void step(double dt, double drive, const Surroundings& around) override {
    follow(fin_, watts_ * drive * contact_, 6, dt);
    const double rising = mixing_ * (low_ - high_);
    const double wall_low = wall_contact_ * (low_ - wall_);
    const double wall_high = wall_contact_ * (high_ - wall_);
    low_ += (fin_ - rising - wall_low + around.body_watts) * dt / layer_joule_;
    high_ += (rising - wall_high) * dt / layer_joule_;
    const double lost = loss_ * (wall_ - around.air_celsius) * around.loss_factor;
    wall_ += (wall_low + wall_high - lost) * dt / wall_joule_;
    follow(bead_, high_, lag_s_, dt);
  }
  [[nodiscard]] double sensor_celsius() const override { return bead_; }
  [[nodiscard]] double body_celsius() const override { return std::max(low_, high_); }
  [[nodiscard]] double nominal_watts() const override { return watts_; }
  void set_contact(double share) override { contact_ = share; }
  void set_temperature(double c) override {
    low_ = high_ = wall_ = bead_ = c;
    fin_ = 0;
  }
  [[nodiscard]] std::unique_ptr<Plant> clone() const override {
    return std::make_unique<StratifiedChamber>(*this);
  }

 private:
  double watts_, layer_joule_, wall_joule_, mixing_, wall_contact_, loss_, lag_s_;
  double contact_ = 1;
  double fin_ = 0, low_ = 25, high_ = 25, wall_ = 25, bead_ = 25;
};

}  // namespace

std::unique_ptr<Plant> draw_stratified_chamber(Random& random) {
  return std::make_unique<StratifiedChamber>(random);
}

}  // namespace firebreak::thermal_bench::held_out
