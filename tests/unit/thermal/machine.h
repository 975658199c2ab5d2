#pragma once

#include "tests/unit/thermal/diary.h"
#include "tests/unit/thermal/plant.h"

namespace firebreak::guard::thermal {

/// A whole printer of the tests' own (hotend and bed), whose reports go through the rules.
class Machine {
 public:
  explicit Machine(std::uint64_t seed, double report_s = 1)
      : random_(seed),
        hotend(random_shape(HeaterKind::hotend, random_), seed * 2 + 1),
        bed(random_shape(HeaterKind::bed, random_), seed * 2 + 2),
        report_s_(report_s),
        says_duty_(seed % 5 != 0) {}

  /// Lets `seconds` go by: plant, reports with jitter, rules at 10 Hz.
  void run(double seconds) {
    const auto steps = static_cast<int>(seconds * 10 + 0.5);
    for (int i = 0; i < steps; ++i) {
      hotend.step(0.1);
      bed.step(0.1);
      diary.now_ns += seconds_ns(0.1);
      since_report_ += 0.1;
      if (!silent && since_report_ >= next_report_) report();
      diary.step();
      hottest_ = std::max(hottest_, hotend.truth());
    }
  }

  void report() {
    since_report_ = 0;
    next_report_ = report_s_ * std::uniform_real_distribution<double>(0.8, 1.3)(random_);
    const auto say = [&](std::size_t index, Plant& plant) {
      diary.report(index, static_cast<float>(plant.read()), static_cast<float>(plant.target),
                   says_duty_ ? static_cast<float>(std::round(plant.duty() * 127) / 127) : unknown);
    };
    say(0, hotend);
    say(1, bed);
  }

  [[nodiscard]] double hottest() const { return hottest_; }
  [[nodiscard]] bool quiet() const { return diary.trip().level == Level::none; }

 private:
  std::mt19937_64 random_;

 public:
  Plant hotend, bed;
  Diary diary;
  bool silent = false;

 private:
  double report_s_;
  double since_report_ = 1e9;
  double next_report_ = 1;
  bool says_duty_;
  double hottest_ = 0;
};

}  // namespace firebreak::guard::thermal
