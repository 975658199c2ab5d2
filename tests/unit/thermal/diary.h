#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/guard/thermal/thermal_monitor.h"

namespace firebreak::guard::thermal {

/// The generic profile's numbers, as the tests of the rules assume them.
inline PrinterProfile test_profile() {
  using std::chrono::seconds;
  PrinterProfile profile;
  profile.name = "test";
  profile.boot_time = seconds(20);
  profile.heaters = {
      {"hotend", HeaterKind::hotend, 290, 60, 5, 5, seconds(40), 2, seconds(30), 8, 15},
      {"bed", HeaterKind::bed, 125, 50, 5, 2, seconds(60), 2, seconds(30), 4, 15}};
  return profile;
}

/// What one trip or warning looked like when it began.
struct Told {
  double at_s = 0;
  Level level = Level::none;
  Rule rule = Rule::none;
  Cause cause = Cause::blind;
  std::size_t heater = 0;
  std::string text;
};

/// A printer's day, told in words, run through the rules at 10 Hz on a clock of its own.
class Diary {
 public:
  explicit Diary(PrinterProfile of = test_profile())
      : profile(std::move(of)), monitor(profile, state) {}

  /// A report of one heater arrives now.
  void report(std::size_t heater, float celsius, float target, float duty = unknown) {
    auto& reading = readings.heaters[heater];
    reading = {celsius, target, duty, now_ns, now_ns, reading.reports + 1};
    readings.temperature_at_ns = readings.line_at_ns = now_ns;
  }
  void hotend(float celsius, float target, float duty = unknown) {
    report(0, celsius, target, duty);
  }
  void bed(float celsius, float target, float duty = unknown) { report(1, celsius, target, duty); }

  /// The board's own sensor at a heater shows `celsius` now.
  void own(std::size_t heater, float celsius) { input.own[heater] = {true, celsius, now_ns}; }

  /// Lets time go by at 10 Hz.
  void wait(double seconds) {
    const auto end = now_ns + seconds_ns(seconds);
    while (now_ns < end) {
      now_ns = std::min(end, now_ns + seconds_ns(0.1));
      step();
    }
  }

  /// One step of the rules; notes what is new.
  void step() {
    input.now_ns = now_ns;
    const auto& report = monitor.step(input, readings);
    last_trips = report.trips;
    trusted = report.trusted;
    possibly_hot = report.possibly_hot;
    for (const auto& verdict : report.all()) {
      if (!verdict.onset) continue;
      told.push_back({seconds(), verdict.level, verdict.rule, verdict.cause, verdict.heater,
                      verdict.text.data()});
    }
    input.target_commanded = false;
  }

  /// A report each second for `seconds`: the reading goes from `from` to `to` in a line. A
  /// neighbour that was never heard is found cold.
  void ramp(std::size_t heater, double seconds, float from, float to, float target,
            float duty = unknown) {
    const std::size_t neighbour = 1 - heater;
    if (readings.heaters[neighbour].celsius_at_ns == 0) report(neighbour, 25, 0, 0);
    for (int i = 0; i < static_cast<int>(seconds); ++i) {
      report(heater, from + (to - from) * static_cast<float>((i + 1) / seconds), target, duty);
      wait(1);
    }
  }

  [[nodiscard]] double seconds() const { return to_seconds(now_ns - begin_ns); }

  /// The first trip, or an empty one.
  [[nodiscard]] Told trip() const {
    for (const auto& item : told) {
      if (item.level == Level::trip) return item;
    }
    return {};
  }
  [[nodiscard]] bool has(Rule rule) const {
    for (const auto& item : told) {
      if (item.rule == rule) return true;
    }
    return false;
  }
  /// Everything that was told, for a failing test.
  [[nodiscard]] std::string story() const {
    std::string all;
    for (const auto& item : told) {
      all += std::to_string(item.at_s) + " s " + std::string(info(item.rule).name) + ": " +
             item.text + "\n";
    }
    return all;
  }

  static constexpr std::int64_t begin_ns = 1'000'000'000'000;
  PrinterProfile profile;
  ThermalState state;
  ThermalMonitor monitor;
  PrinterReadings readings;
  StepInput input;
  std::int64_t now_ns = begin_ns;
  CauseSet last_trips = 0;
  std::uint32_t trusted = 0;
  std::uint32_t possibly_hot = 0;
  std::vector<Told> told;
};

}  // namespace firebreak::guard::thermal
