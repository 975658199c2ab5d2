#include <array>

#include "tests/thermal/families/held_out/held_out.h"

namespace firebreak::thermal_bench::held_out {

namespace {

/// An inner and an outer zone, each heated; the outer one is larger and loses more; a sheet lies
/// over both. The sensor sits in the middle behind a transport delay.
class ZonedBed final : public Plant {
 public:
  explicit ZonedBed(Random& random)
      : watts_(random.log_uniform(150, 700)),
        inner_share_(random.uniform(0.3, 0.55)),
        joule_(watts_ / random.log_uniform(0.25, 1.0)),
        sheet_share_(random.uniform(0.08, 0.45)),
        across_(watts_ / random.uniform(25, 80)),
        sheet_contact_(watts_ / random.uniform(8, 30)),
        loss_(watts_ / random.uniform(110, 240)),
        edge_(random.uniform(1.1, 1.9)),
        power_(random.uniform(0.1, 0.33)),
        fan_(random.uniform(0, 0.2)),
        delay_(5 + static_cast<std::size_t>(random.pick(35))),
        lag_s_(random.log_uniform(1.5, 8)) {
    past_.fill(25);
  }

  void step(double dt, double drive, const Surroundings& around) override {
    const double plate = joule_ * (1 - sheet_share_);
    const double heat = watts_ * drive * contact_;
    const double across = across_ * (inner_ - outer_);
    const double up_inner = sheet_contact_ * inner_share_ * (inner_ - sheet_);
    const double up_outer = sheet_contact_ * (1 - inner_share_) * (outer_ - sheet_);
    const double still =
        loss_ * power_(std::max(1.0, sheet_ - around.air_celsius) / 50) * around.loss_factor;
    const double edge_loss = 0.35 * loss_ * edge_ * (outer_ - around.air_celsius);
    const double top_loss = 0.8 * still * (1 + fan_ * around.fan) * (sheet_ - around.air_celsius);
    inner_ +=
        (heat * inner_share_ - across - up_inner + around.body_watts) * dt / (plate * inner_share_);
    outer_ += (heat * (1 - inner_share_) + across - up_outer - edge_loss) * dt /
              (plate * (1 - inner_share_));
    sheet_ += (up_inner + up_outer - top_loss) * dt / (joule_ * sheet_share_);
    past_[at_] = inner_;
    at_ = (at_ + 1) % delay_;
    follow(bead_, past_[at_], lag_s_, dt);
  }
  [[nodiscard]] double sensor_celsius() const override { return bead_; }
  [[nodiscard]] double body_celsius() const override { return std::max(inner_, outer_); }
  [[nodiscard]] double nominal_watts() const override { return watts_; }
  void set_contact(double share) override { contact_ = share; }
  void set_temperature(double c) override {
    inner_ = outer_ = sheet_ = bead_ = c;
    past_.fill(c);
  }
  [[nodiscard]] std::unique_ptr<Plant> clone() const override {
    return std::make_unique<ZonedBed>(*this);
  }

 private:
  double watts_, inner_share_, joule_, sheet_share_, across_, sheet_contact_, loss_, edge_;
  SlowPower power_;
  double fan_;
  std::size_t delay_;
  double lag_s_;
  double contact_ = 1;
  double inner_ = 25, outer_ = 25, sheet_ = 25, bead_ = 25;
  std::array<double, 40> past_{};
  std::size_t at_ = 0;
};

/// Heater foil, two cells of plate, magnet, spring sheet: four layers whose touch gets worse as the
/// sheet warps with heat; the top radiates. The sensor is of third order.
class SandwichBed final : public Plant {
 public:
  explicit SandwichBed(Random& random)
      : watts_(random.log_uniform(120, 600)),
        joule_(watts_ / random.log_uniform(0.25, 1.1)),
        share_{random.uniform(0.05, 0.12), 0.35, 0.3, random.uniform(0.1, 0.25)},
        between_{watts_ / random.uniform(4, 12), watts_ / random.uniform(3, 8),
                 watts_ / random.uniform(8, 25)},
        warp_per_kelvin_(random.uniform(0, 0.006)),
        loss_(watts_ / random.uniform(140, 280)),
        radiant_(loss_ * random.uniform(0.2, 0.7)),
        lag_s_(random.log_uniform(0.7, 4)) {}

  void step(double dt, double drive, const Surroundings& around) override {
    std::array<double, 3> flow{};
    for (std::size_t i = 0; i < 3; ++i) flow[i] = between_[i] * (layer_[i] - layer_[i + 1]);
    flow[0] *= contact_;
    flow[2] *= std::max(0.4, 1 - warp_per_kelvin_ * (layer_[2] - 25));
    const double top = layer_[3] - around.air_celsius;
    // T^4 about room temperature, as a third-order polynomial of the rise.
    const double radiated = radiant_ * top * (1 + top / 200 + top * top / 90000);
    const double lost = loss_ * top * around.loss_factor + radiated;
    const double stray = contact_ < 1 ? 0.2 * (layer_[0] - around.air_celsius) : 0;
    layer_[0] += (watts_ * drive - flow[0] - stray) * dt / (joule_ * share_[0]);
    layer_[1] += (flow[0] - flow[1] + around.body_watts) * dt / (joule_ * share_[1]);
    layer_[2] += (flow[1] - flow[2]) * dt / (joule_ * share_[2]);
    layer_[3] += (flow[2] - lost) * dt / (joule_ * share_[3]);
    double from = layer_[1];
    for (double& part : sensor_) {
      follow(part, from, lag_s_, dt);
      from = part;
    }
  }
  [[nodiscard]] double sensor_celsius() const override { return sensor_.back(); }
  [[nodiscard]] double body_celsius() const override { return layer_[1]; }
  [[nodiscard]] double nominal_watts() const override { return watts_; }
  void set_contact(double share) override { contact_ = share; }
  void set_temperature(double c) override {
    layer_.fill(c);
    sensor_.fill(c);
  }
  [[nodiscard]] std::unique_ptr<Plant> clone() const override {
    return std::make_unique<SandwichBed>(*this);
  }

 private:
  double watts_, joule_;
  std::array<double, 4> share_;
  std::array<double, 3> between_;
  double warp_per_kelvin_, loss_, radiant_, lag_s_;
  double contact_ = 1;
  std::array<double, 4> layer_{25, 25, 25, 25};
  std::array<double, 3> sensor_{25, 25, 25};
};

/// A thick cast plate on insulating foam: the foam drinks heat for many minutes through three
/// diffusing cells, so that the same duty means less and less loss. Mains heater; the sensor sits
/// in the plate behind one slow lag and sees a part of the heater directly.
class FoamBed final : public Plant {
 public:
  explicit FoamBed(Random& random)
      : watts_(random.log_uniform(250, 800)),
        plate_joule_(watts_ / random.log_uniform(0.25, 0.8)),
        foil_joule_(plate_joule_ * random.uniform(0.02, 0.06)),
        foil_contact_(watts_ / random.uniform(6, 18)),
        foam_joule_(plate_joule_ * random.uniform(0.05, 0.15)),
        foam_contact_(watts_ / random.uniform(150, 500)),
        loss_(watts_ / random.uniform(130, 280)),
        fan_(random.uniform(0, 0.2)),
        sees_foil_(random.uniform(0, 0.15)),
        lag_s_(random.log_uniform(2, 12)) {}

  void step(double dt, double drive, const Surroundings& around) override {
    const double heat = foil_contact_ * contact_ * (foil_ - plate_);
    const double stray = contact_ < 1 ? 0.3 * (foil_ - around.air_celsius) : 0;
    const double lost =
        loss_ * (1 + fan_ * around.fan) * around.loss_factor * (plate_ - around.air_celsius);
    double from = plate_;
    double into_foam = 0;
    for (std::size_t i = 0; i < foam_.size(); ++i) {
      const double in = foam_contact_ * (from - foam_[i]);
      const double out = i + 1 < foam_.size()
                             ? foam_contact_ * (foam_[i] - foam_[i + 1])
                             : 0.3 * foam_contact_ * (foam_[i] - around.air_celsius);
      if (i == 0) into_foam = in;
      from = foam_[i];
      foam_[i] += (in - out) * dt / foam_joule_;
    }
    foil_ += (watts_ * drive - heat - stray) * dt / foil_joule_;
    plate_ += (heat - lost - into_foam + around.body_watts) * dt / plate_joule_;
    follow(bead_, plate_ + sees_foil_ * contact_ * (foil_ - plate_), lag_s_, dt);
  }
  [[nodiscard]] double sensor_celsius() const override { return bead_; }
  [[nodiscard]] double body_celsius() const override { return plate_; }
  [[nodiscard]] double nominal_watts() const override { return watts_; }
  void set_contact(double share) override { contact_ = share; }
  void set_temperature(double c) override {
    foil_ = plate_ = bead_ = c;
    foam_.fill(c);
  }
  [[nodiscard]] std::unique_ptr<Plant> clone() const override {
    return std::make_unique<FoamBed>(*this);
  }

 private:
  double watts_, plate_joule_, foil_joule_, foil_contact_, foam_joule_, foam_contact_, loss_, fan_;
  double sees_foil_, lag_s_;
  double contact_ = 1;
  double foil_ = 25, plate_ = 25, bead_ = 25;
  std::array<double, 3> foam_{25, 25, 25};
};

}  // namespace

std::unique_ptr<Plant> draw_zoned_bed(Random& random) { return std::make_unique<ZonedBed>(random); }
std::unique_ptr<Plant> draw_sandwich_bed(Random& random) {
  return std::make_unique<SandwichBed>(random);
}
std::unique_ptr<Plant> draw_foam_bed(Random& random) { return std::make_unique<FoamBed>(random); }

}  // namespace firebreak::thermal_bench::held_out
