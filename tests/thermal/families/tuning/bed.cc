#include "tests/thermal/families/tuning/tuning.h"

namespace firebreak::thermal_bench::tuning {

namespace {

struct BedNumbers {
  double watts;
  double element_joule, plate_joule, glass_joule;  // J/K
  double element_contact, glass_contact;           // W/K
  double loss_watt_per_kelvin, loss_exponent;      // at 50 K; (dT/50)^n
  double fan_share;                                // of the loss, at full fan
  double lag1_s, lag2_s;
};

/// Element, plate and glass in a chain; the sensor sits at the plate behind two lags. The glass is
/// the slow reservoir.
class LayeredBed final : public Plant {
 public:
  explicit LayeredBed(const BedNumbers& numbers) : n_(numbers), power_(numbers.loss_exponent) {}

  void step(double dt, double drive, const Surroundings& around) override {
    const double rise = glass_ - around.air_celsius;
    const double loss = rise > 0 ? n_.loss_watt_per_kelvin * 50 * power_(rise / 50) *
                                       around.loss_factor * (1 + n_.fan_share * around.fan)
                                 : 0;
    const double stray = contact_ < 1 ? 0.3 * (element_ - around.air_celsius) : 0;
    const double into_plate = n_.element_contact * contact_ * (element_ - plate_);
    const double into_glass = n_.glass_contact * (plate_ - glass_);
    const double under = 0.3 * n_.loss_watt_per_kelvin * (plate_ - around.air_celsius);
    element_ += (n_.watts * drive - into_plate - stray) * dt / n_.element_joule;
    plate_ += (into_plate - into_glass - under + around.body_watts) * dt / n_.plate_joule;
    glass_ += (into_glass - loss) * dt / n_.glass_joule;
    follow(first_, plate_, n_.lag1_s, dt);
    follow(bead_, first_, n_.lag2_s, dt);
  }
  [[nodiscard]] double sensor_celsius() const override { return bead_; }
  [[nodiscard]] double body_celsius() const override { return plate_; }
  [[nodiscard]] double nominal_watts() const override { return n_.watts; }
  void set_contact(double share) override { contact_ = share; }
  void set_temperature(double c) override { element_ = plate_ = glass_ = first_ = bead_ = c; }
  [[nodiscard]] std::unique_ptr<Plant> clone() const override {
    return std::make_unique<LayeredBed>(*this);
  }

 private:
  BedNumbers n_;
  SlowPower power_;
  double contact_ = 1;
  double element_ = 25, plate_ = 25, glass_ = 25, first_ = 25, bead_ = 25;
};

BedNumbers draw_numbers(Random& random) {
  BedNumbers n{};
  n.watts = random.log_uniform(120, 800);
  const double joule = n.watts / random.log_uniform(0.25, 1.2);
  const double glass = random.chance(0.4) ? random.uniform(0.25, 0.6) : random.uniform(0.05, 0.2);
  n.element_joule = joule * random.uniform(0.03, 0.1);
  n.glass_joule = joule * glass;
  n.plate_joule = joule - n.element_joule - n.glass_joule;
  n.element_contact = n.watts / random.uniform(4, 15);
  n.glass_contact = n.watts / random.uniform(8, 30);
  n.loss_watt_per_kelvin = n.watts / random.uniform(110, 260);
  n.loss_exponent = random.uniform(1, 1.3);
  n.fan_share = random.uniform(0, 0.15);
  const double lag = random.log_uniform(2, 14);
  const double split = random.uniform(0.2, 0.8);
  n.lag1_s = lag * split;
  n.lag2_s = lag * (1 - split);
  return n;
}

}  // namespace

HeaterDraw draw_bed(Random& random) {
  HeaterDraw draw;
  draw.family = "layered";
  StepTest hard;
  hard.drive = 0.86;
  hard.longest_s = 900;
  hard.around.loss_factor = 1.5;  // A draft, or the sock gone.
  do {
    draw.target_celsius = 5 * (10 + random.pick(11));
    draw.highest_celsius = draw.target_celsius + 5;
    draw.plant = std::make_unique<LayeredBed>(draw_numbers(random));
    hard.target_celsius = draw.highest_celsius;
  } while (step_response(*draw.plant, hard).seconds > hard.longest_s);
  StepTest plain;
  plain.target_celsius = draw.target_celsius;
  const auto response = step_response(*draw.plant, plain);
  draw.controller = draw_controller(random, response, draw.target_celsius, true);
  draw.window_s = random.chance(0.2) ? 1.0 : 0;
  return draw;
}

}  // namespace firebreak::thermal_bench::tuning
