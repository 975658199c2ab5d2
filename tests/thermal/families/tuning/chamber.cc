#include "tests/thermal/families/tuning/tuning.h"

namespace firebreak::thermal_bench::tuning {

namespace {

/// Element, air and walls.
class BoxChamber final : public Plant {
 public:
  BoxChamber(double watts, Random& random)
      : watts_(watts),
        element_joule_(random.uniform(40, 150)),
        air_joule_(random.uniform(150, 400)),
        wall_joule_(random.uniform(2000, 8000)),
        element_contact_(watts / random.uniform(60, 150)),
        wall_contact_(watts / random.uniform(12, 30)),
        loss_(watts / random.uniform(60, 120)),
        lag_s_(random.uniform(4, 14)) {}

  void step(double dt, double drive, const Surroundings& around) override {
    const double into_air = element_contact_ * contact_ * (element_ - air_);
    const double into_wall = wall_contact_ * (air_ - wall_);
    const double loss = loss_ * (wall_ - around.air_celsius) * around.loss_factor;
    element_ += (watts_ * drive - into_air) * dt / element_joule_;
    air_ += (into_air - into_wall + around.body_watts) * dt / air_joule_;
    wall_ += (into_wall - loss) * dt / wall_joule_;
    follow(bead_, air_, lag_s_, dt);
  }
  [[nodiscard]] double sensor_celsius() const override { return bead_; }
  [[nodiscard]] double body_celsius() const override { return air_; }
  [[nodiscard]] double nominal_watts() const override { return watts_; }
  void set_contact(double share) override { contact_ = share; }
  void set_temperature(double c) override { element_ = air_ = wall_ = bead_ = c; }
  [[nodiscard]] std::unique_ptr<Plant> clone() const override {
    return std::make_unique<BoxChamber>(*this);
  }

 private:
  double watts_, element_joule_, air_joule_, wall_joule_, element_contact_, wall_contact_, loss_;
  double lag_s_;
  double contact_ = 1;
  double element_ = 25, air_ = 25, wall_ = 25, bead_ = 25;
};

}  // namespace

HeaterDraw draw_chamber(Random& random) {
  HeaterDraw draw;
  draw.family = "box";
  StepTest test;
  test.drive = 0.86;
  test.longest_s = 1800;
  test.around.loss_factor = 1.5;  // A draft.
  do {
    draw.target_celsius = 5 * (8 + random.pick(5));
    draw.highest_celsius = draw.target_celsius + 2;
    draw.plant = std::make_unique<BoxChamber>(random.uniform(100, 400), random);
    test.target_celsius = draw.highest_celsius;
  } while (step_response(*draw.plant, test).seconds > test.longest_s);
  test.drive = 1;
  test.around.loss_factor = 1;
  const auto response = step_response(*draw.plant, test);
  draw.controller = draw_controller(random, response, draw.target_celsius, true);
  return draw;
}

}  // namespace firebreak::thermal_bench::tuning
