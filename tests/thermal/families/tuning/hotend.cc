#include "tests/thermal/families/tuning/tuning.h"

namespace firebreak::thermal_bench::tuning {

namespace {

/// J/(mm³·K) of a melting thermoplastic (research/thermal, section 5: 2.4 mJ/mm³K).
constexpr double melt_joule_per_mm3_kelvin = 2.4e-3;

struct LumpedNumbers {
  double watts, ptc_per_kelvin;
  double cartridge_joule, block_joule, melt_joule;  // J/K
  double cartridge_contact, melt_contact;           // W/K
  double loss_kelvin_per_watt, loss_exponent;       // R at 100 K; (dT/100)^n
  double fan_watt_per_kelvin;
  double lag1_s, lag2_s;
};

/// Cartridge, block and melt as three lumps in a chain; the sensor follows the block through two
/// first-order lags. Loss is one power law.
class LumpedHotend final : public Plant {
 public:
  explicit LumpedHotend(const LumpedNumbers& numbers)
      : n_(numbers), power_(numbers.loss_exponent) {}

  void step(double dt, double drive, const Surroundings& around) override {
    const double rise = block_ - around.air_celsius;
    const double watts = n_.watts * drive / (1 + n_.ptc_per_kelvin * (cartridge_ - 25));
    const double into_block = n_.cartridge_contact * contact_ * (cartridge_ - block_);
    // A cartridge in the air still loses something.
    const double stray = contact_ < 1 ? 0.02 * (cartridge_ - around.air_celsius) : 0;
    const double into_melt = n_.melt_contact * (block_ - melt_);
    const double still = rise > 0 ? power_(rise / 100) * 100 / n_.loss_kelvin_per_watt : 0;
    const double loss = (still + n_.fan_watt_per_kelvin * around.fan * rise) * around.loss_factor;
    const double feed =
        melt_joule_per_mm3_kelvin * around.flow_mm3_s * (melt_ - around.air_celsius);
    cartridge_ += (watts - into_block - stray) * dt / n_.cartridge_joule;
    block_ += (into_block - into_melt - loss + around.body_watts) * dt / n_.block_joule;
    melt_ += (into_melt - feed) * dt / n_.melt_joule;
    follow(first_, block_, n_.lag1_s, dt);
    follow(bead_, first_, n_.lag2_s, dt);
  }
  [[nodiscard]] double sensor_celsius() const override { return bead_; }
  [[nodiscard]] double body_celsius() const override { return block_; }
  [[nodiscard]] double nominal_watts() const override { return n_.watts; }
  void set_contact(double share) override { contact_ = share; }
  void set_temperature(double c) override { cartridge_ = block_ = melt_ = first_ = bead_ = c; }
  [[nodiscard]] std::unique_ptr<Plant> clone() const override {
    return std::make_unique<LumpedHotend>(*this);
  }

 private:
  LumpedNumbers n_;
  SlowPower power_;
  double contact_ = 1;
  double cartridge_ = 25, block_ = 25, melt_ = 25, first_ = 25, bead_ = 25;
};

LumpedNumbers draw_numbers(Random& random) {
  LumpedNumbers n{};
  n.watts = random.uniform(25, 70);
  n.ptc_per_kelvin = random.chance(0.5) ? 0 : random.uniform(0, 8e-4);
  const double joule = random.log_uniform(7, 18);
  n.cartridge_joule = joule * random.uniform(0.08, 0.2);
  n.melt_joule = joule * random.uniform(0.08, 0.2);
  n.block_joule = joule - n.cartridge_joule - n.melt_joule;
  n.cartridge_contact = random.log_uniform(2, 8);
  n.melt_contact = random.log_uniform(0.8, 3);
  n.loss_kelvin_per_watt = random.uniform(15, 32);
  n.loss_exponent = random.uniform(1, 1.3);
  n.fan_watt_per_kelvin = random.uniform(0, 0.35) / n.loss_kelvin_per_watt;
  const double lag = random.log_uniform(0.5, 4);
  const double split = random.uniform(0.2, 0.8);
  n.lag1_s = lag * split;
  n.lag2_s = lag * (1 - split);
  return n;
}

}  // namespace

HeaterDraw draw_hotend(Random& random) {
  HeaterDraw draw;
  draw.family = "lumped";
  StepTest hard;  // Low voltage, full fan, fast print: what a maker's slowest day looks like.
  hard.drive = 0.85;
  hard.longest_s = 240;
  hard.around.loss_factor = 1.5;  // A draft, or the sock gone.
  hard.around.fan = 1;
  hard.around.flow_mm3_s = 8;
  do {
    draw.target_celsius = 5 * (38 + random.pick(15));
    draw.highest_celsius = draw.target_celsius + 10;
    draw.plant = std::make_unique<LumpedHotend>(draw_numbers(random));
    hard.target_celsius = draw.highest_celsius;
  } while (step_response(*draw.plant, hard).seconds > hard.longest_s);
  StepTest plain;
  plain.target_celsius = draw.target_celsius;
  const auto response = step_response(*draw.plant, plain);
  draw.controller = draw_controller(random, response, draw.target_celsius, false);
  return draw;
}

}  // namespace firebreak::thermal_bench::tuning
