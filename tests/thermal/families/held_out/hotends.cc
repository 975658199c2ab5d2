#include <array>

#include "tests/thermal/families/held_out/held_out.h"

namespace firebreak::thermal_bench::held_out {

namespace {

constexpr double kelvin = 273.15;
constexpr double stefan_boltzmann = 5.670374e-8;  // W/(m²·K⁴)
constexpr double polymer_joule_per_mm3 = 2.4e-3;  // research/thermal, section 5

/// Net radiation of `square_metres_times_emissivity` to surroundings at `air`, W.
double radiation(double celsius, double air, double square_metres_times_emissivity) {
  const double hot = celsius + kelvin;
  const double cold = air + kelvin;
  return stefan_boltzmann * square_metres_times_emissivity *
         (hot * hot * hot * hot - cold * cold * cold * cold);
}

/// A cartridge whose heat has to go through its own length: five cells in a row, wound in the
/// middle, each touching the block a little worse towards the ends. The block radiates. The
/// sensor answers after a pure delay (a thermistor glued in a bore), then one lag.
class RodHotend final : public Plant {
 public:
  explicit RodHotend(Random& random)
      : watts_(random.uniform(28, 65)),
        cell_joule_(random.uniform(0.25, 0.6)),
        along_(random.uniform(0.4, 1.2)),
        touch_(random.log_uniform(0.5, 1.6)),
        block_joule_(random.log_uniform(6, 14)),
        loss_(1 / random.uniform(20, 38)),
        surface_(random.uniform(0.8e-3, 2.4e-3) * random.uniform(0.15, 0.8)),
        fan_loss_(loss_ * random.uniform(0, 0.45)),
        nozzle_(random.uniform(0.7, 1.0)),
        delay_(1 + random.pick(8)),
        lag_s_(random.log_uniform(0.4, 2.5)) {}

  void step(double dt, double drive, const Surroundings& around) override {
    constexpr std::array<double, 5> winding{0.1, 0.25, 0.3, 0.25, 0.1};
    constexpr std::array<double, 5> touching{0.7, 1, 1.2, 1, 0.7};
    for (int half = 0; half < 2; ++half) {
      double into_block = 0;
      auto next = rod_;
      for (std::size_t i = 0; i < rod_.size(); ++i) {
        const double left = i > 0 ? along_ * (rod_[i - 1] - rod_[i]) : 0;
        const double right = i + 1 < rod_.size() ? along_ * (rod_[i + 1] - rod_[i]) : 0;
        const double out = touch_ * touching[i] * contact_ * (rod_[i] - block_);
        const double stray = contact_ < 1 ? radiation(rod_[i], around.air_celsius, 1e-4) : 0;
        next[i] +=
            (watts_ * drive * winding[i] + left + right - out - stray) * dt / 2 / cell_joule_;
        into_block += out;
      }
      rod_ = next;
      block_ += (into_block - loss(around) + around.body_watts) * dt / 2 / block_joule_;
    }
    past_[at_] = block_;
    at_ = (at_ + 1) % delay_;
    follow(bead_, past_[at_], lag_s_, dt);
  }
  [[nodiscard]] double sensor_celsius() const override { return bead_; }
  [[nodiscard]] double body_celsius() const override { return block_; }
  [[nodiscard]] double nominal_watts() const override { return watts_; }
  void set_contact(double share) override { contact_ = share; }
  void set_temperature(double c) override {
    rod_.fill(c);
    past_.fill(c);
    block_ = bead_ = c;
  }
  [[nodiscard]] std::unique_ptr<Plant> clone() const override {
    return std::make_unique<RodHotend>(*this);
  }

 private:
  /// A fan below a fifth of its speed does not turn.
  [[nodiscard]] double loss(const Surroundings& around) const {
    const double rise = block_ - around.air_celsius;
    const double blown = around.fan > 0.2 ? around.fan : 0;
    const double melted =
        polymer_joule_per_mm3 * around.flow_mm3_s * nozzle_ * (block_ - around.air_celsius);
    return ((loss_ + fan_loss_ * blown) * rise + radiation(block_, around.air_celsius, surface_)) *
               around.loss_factor +
           melted;
  }

  double watts_, cell_joule_, along_, touch_, block_joule_, loss_, surface_, fan_loss_, nozzle_;
  std::size_t delay_;
  double lag_s_;
  double contact_ = 1;
  std::array<double, 5> rod_{25, 25, 25, 25, 25};
  std::array<double, 12> past_{25, 25, 25, 25, 25, 25, 25, 25, 25, 25, 25, 25};
  std::size_t at_ = 0;
  double block_ = 25, bead_ = 25;
};

/// A long tube that carries the heat like a heat pipe: heater at the top, nozzle at the bottom,
/// filament that drags cold downwards through the cells, a fin's loss along it. The sensor is a
/// ladder of three diffusing cells at the second cell of the tube.
class TubeHotend final : public Plant {
 public:
  explicit TubeHotend(Random& random)
      : watts_(random.uniform(35, 70)),
        cell_joule_(random.log_uniform(1.7, 4)),
        along_(random.log_uniform(1.5, 5)),
        loss_(1 / random.uniform(18, 34) / 4),
        power_(random.uniform(0.15, 0.3)),
        fan_loss_(loss_ * random.uniform(0, 0.8)),
        ladder_s_(random.log_uniform(0.2, 1.1)) {}

  void step(double dt, double drive, const Surroundings& around) override {
    // Loss grows like dT^(1 + n), the convection of a vertical tube.
    const double still = power_(std::max(1.0, cells_[1] - around.air_celsius) / 100);
    const double carried = polymer_joule_per_mm3 * around.flow_mm3_s;
    auto next = cells_;
    for (std::size_t i = 0; i < cells_.size(); ++i) {
      const double above = i > 0 ? cells_[i - 1] : around.air_celsius;
      const double rise = cells_[i] - around.air_celsius;
      // The fan blows at the nozzle, not at the top.
      const double blown = i >= 2 ? fan_loss_ * 2 * around.fan : 0;
      double watts = -(loss_ * still + blown) * rise * around.loss_factor;
      if (i == 0) watts += watts_ * drive * contact_ + around.body_watts;
      if (i > 0) watts += along_ * (cells_[i - 1] - cells_[i]);
      if (i + 1 < cells_.size()) watts += along_ * (cells_[i + 1] - cells_[i]);
      watts -= carried * (cells_[i] - above);
      next[i] += watts * dt / cell_joule_;
    }
    cells_ = next;
    double from = cells_[1];
    for (double& part : ladder_) {
      follow(part, from, ladder_s_, dt);
      from = part;
    }
  }
  [[nodiscard]] double sensor_celsius() const override { return ladder_.back(); }
  [[nodiscard]] double body_celsius() const override { return cells_[0]; }
  [[nodiscard]] double nominal_watts() const override { return watts_; }
  void set_contact(double share) override { contact_ = share; }
  void set_temperature(double c) override {
    cells_.fill(c);
    ladder_.fill(c);
  }
  [[nodiscard]] std::unique_ptr<Plant> clone() const override {
    return std::make_unique<TubeHotend>(*this);
  }

 private:
  double watts_, cell_joule_, along_, loss_;
  SlowPower power_;
  double fan_loss_, ladder_s_;
  double contact_ = 1;
  std::array<double, 4> cells_{25, 25, 25, 25};
  std::array<double, 3> ladder_{25, 25, 25};
};

/// A ceramic ring around a small nozzle: little mass, a resistance that nearly doubles until
/// 250 °C, convection in two regimes, and a sensor in the ring that answers as a critically
/// damped system of second order, warmed a little by the ring itself.
class CeramicHotend final : public Plant {
 public:
  explicit CeramicHotend(Random& random)
      : watts_(random.uniform(40, 70)),
        ptc_(random.uniform(8e-4, 2.5e-3)),
        ring_joule_(random.uniform(2.5, 5)),
        nozzle_joule_(random.uniform(4, 8)),
        contact_watts_(random.log_uniform(1.5, 5)),
        loss_(1 / random.uniform(20, 32)),
        turbulent_from_(random.uniform(60, 140)),
        fan_loss_(loss_ * random.uniform(0, 0.4)),
        natural_per_s_(random.uniform(0.9, 4)),
        near_ring_(random.uniform(0, 0.35)) {}

  void step(double dt, double drive, const Surroundings& around) override {
    const double watts = watts_ * drive / (1 + ptc_ * (ring_ - 25));
    const double across = contact_watts_ * contact_ * (ring_ - nozzle_);
    const double rise = nozzle_ - around.air_celsius;
    const double regime = rise > turbulent_from_ ? 1.15 : 1.0;
    const double lost =
        (loss_ * regime + fan_loss_ * std::sqrt(around.fan)) * rise * around.loss_factor;
    const double melted = polymer_joule_per_mm3 * around.flow_mm3_s * rise;
    const double stray = 0.15 * loss_ * (ring_ - around.air_celsius);
    ring_ += (watts - across - stray) * dt / ring_joule_;
    nozzle_ += (across - lost - melted + around.body_watts) * dt / nozzle_joule_;
    const double w = natural_per_s_;
    const double felt = nozzle_ + near_ring_ * contact_ * (ring_ - nozzle_);
    speed_ += (w * w * (felt - bead_) - 2 * w * speed_) * dt;
    bead_ += speed_ * dt;
  }
  [[nodiscard]] double sensor_celsius() const override { return bead_; }
  [[nodiscard]] double body_celsius() const override { return nozzle_; }
  [[nodiscard]] double nominal_watts() const override { return watts_; }
  void set_contact(double share) override { contact_ = share; }
  void set_temperature(double c) override {
    ring_ = nozzle_ = bead_ = c;
    speed_ = 0;
  }
  [[nodiscard]] std::unique_ptr<Plant> clone() const override {
    return std::make_unique<CeramicHotend>(*this);
  }

 private:
  double watts_, ptc_, ring_joule_, nozzle_joule_, contact_watts_, loss_, turbulent_from_;
  double fan_loss_, natural_per_s_, near_ring_;
  double contact_ = 1;
  double ring_ = 25, nozzle_ = 25, bead_ = 25, speed_ = 0;
};

}  // namespace

std::unique_ptr<Plant> draw_rod_hotend(Random& random) {
  return std::make_unique<RodHotend>(random);
}
std::unique_ptr<Plant> draw_tube_hotend(Random& random) {
  return std::make_unique<TubeHotend>(random);
}
std::unique_ptr<Plant> draw_ceramic_hotend(Random& random) {
  return std::make_unique<CeramicHotend>(random);
}

}  // namespace firebreak::thermal_bench::held_out
