#include "tests/simulator/heater_control.h"

#include <algorithm>
#include <cmath>

namespace firebreak::sim {
namespace {

using std::chrono::seconds;

// Values of the recorded build (M301 in *_boot_identify; the rest are Marlin's defaults).
constexpr double kProportional = 22.20;
constexpr double kIntegral = 1.08;
constexpr double kDerivative = 114.00;
constexpr double kFunctionalRange = 10;
constexpr double kSmoothing = 0.95;
constexpr double kFullOutput = 255;
constexpr int kFullDuty = 127;
constexpr Nanos kBedCheckInterval = seconds(5);
constexpr double kWatchIncrease = 2;
constexpr double kWatchHysteresis = 3;
constexpr double kHotendOvershoot = 15;
constexpr double kBedOvershoot = 10;
constexpr int kLowReadingsAllowed = 1;

double period_seconds() { return std::chrono::duration<double>(kSamplePeriod).count(); }

}  // namespace

void HeaterControl::set_target(double celsius, Nanos now) {
  const double overshoot = rules_.pid ? kHotendOvershoot : kBedOvershoot;
  target_ = std::clamp(celsius, 0.0, rules_.max_celsius - overshoot);
  start_watch(now);
}

void HeaterControl::switch_off() {
  target_ = 0;
  duty_ = 0;
  watch_deadline_ = Nanos{0};
  pid_reset_ = true;
}

void HeaterControl::start_watch(Nanos now) {
  const double goal = reading_ + kWatchIncrease;
  const bool far = target_ > 0 && goal < target_ - kWatchHysteresis - 1;
  watch_goal_ = goal;
  watch_deadline_ = far ? now + rules_.watch_period : Nanos{0};
}

std::optional<ThermalFault> HeaterControl::sample(double celsius, Nanos now) {
  reading_ = celsius;
  const int wanted = rules_.pid ? pid_duty() : bang_bang_duty(now);
  const bool in_range = celsius > rules_.min_celsius && celsius < rules_.max_celsius;
  duty_ = in_range ? wanted : 0;
  return check(now);
}

int HeaterControl::pid_duty() {
  const double error = target_ - reading_;
  const double slope = last_reading_ - reading_;
  last_reading_ = reading_;
  double output = 0;
  if (target_ <= 0 || error < -kFunctionalRange) {
    pid_reset_ = true;
  } else if (error > kFunctionalRange) {
    output = kFullOutput;
    pid_reset_ = true;
  } else {
    if (pid_reset_) {
      integral_ = 0;
      derivative_ = 0;
      pid_reset_ = false;
    }
    const double gain = kIntegral * period_seconds();
    derivative_ += (1 - kSmoothing) * (kDerivative / period_seconds() * slope - derivative_);
    integral_ = std::clamp(integral_ + error, 0.0, kFullOutput / gain);
    output = std::clamp(kProportional * error + gain * integral_ + derivative_, 0.0, kFullOutput);
  }
  return static_cast<int>(output) >> 1;
}

int HeaterControl::bang_bang_duty(Nanos now) {
  if (now < next_switch_) return duty_;
  next_switch_ = now + kBedCheckInterval;
  return reading_ < target_ ? kFullDuty : 0;
}

std::optional<ThermalFault> HeaterControl::check(Nanos now) {
  if (rules_.range_checked && reading_ >= rules_.max_celsius) {
    return ThermalFault{"MAXTEMP triggered", "Err: MAXTEMP"};
  }
  const bool low = rules_.range_checked && target_ > 0 && reading_ <= rules_.min_celsius;
  low_readings_ = low ? low_readings_ + 1 : 0;
  if (low_readings_ > kLowReadingsAllowed) {
    return ThermalFault{"MINTEMP triggered", "Err: MINTEMP"};
  }
  if (!rules_.runaway_and_watch) return std::nullopt;
  if (watch_deadline_ > Nanos{0} && now >= watch_deadline_) {
    if (reading_ < watch_goal_) return ThermalFault{"Heating failed", "Heating Failed"};
    start_watch(now);
  }
  return check_runaway(now);
}

std::optional<ThermalFault> HeaterControl::check_runaway(Nanos now) {
  if (runaway_target_ != target_) {
    runaway_target_ = target_;
    runaway_ = target_ > 0 ? Runaway::first_heating : Runaway::inactive;
  }
  if (runaway_ == Runaway::inactive) return std::nullopt;
  if (runaway_ == Runaway::first_heating) {
    if (reading_ < target_) return std::nullopt;
    runaway_ = Runaway::stable;
  }
  if (reading_ >= target_ - rules_.runaway_hysteresis) {
    runaway_deadline_ = now + rules_.runaway_period;
    return std::nullopt;
  }
  if (now < runaway_deadline_) return std::nullopt;
  return ThermalFault{"Thermal Runaway", "THERMAL RUNAWAY"};
}

}  // namespace firebreak::sim
