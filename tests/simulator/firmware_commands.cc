// Commands that move, heat or wait.
#include <algorithm>
#include <cmath>

#include "tests/simulator/firmware.h"

namespace firebreak::sim {
namespace {

using std::chrono::seconds;

constexpr double kColdExtrusionCelsius = 170;
constexpr int kExtruders = 1;
constexpr int kLongestReportSeconds = 60;
constexpr Nanos kPowerOffDelay = std::chrono::milliseconds(1100);

Nanos from_milliseconds(double value) {
  return Nanos{static_cast<std::int64_t>(std::clamp(value, 0.0, 1e9) * 1e6)};
}

}  // namespace

void Firmware::do_accept(const Command&) {}

void Firmware::do_move(const Command& command) {
  bool refused = false;
  const bool cold = std::round(hotend_.reading()) < kColdExtrusionCelsius;
  const auto move = motion_.plan(command, cold, &refused);
  if (refused) say("echo: cold extrusion prevented");
  if (!move) return;
  if (!motion_.full()) {
    motion_.push(*move, now_);
    return;
  }
  wait_for(Waiting::planner_room, [this, planned = *move] { motion_.push(planned, now_); });
}

void Firmware::do_dwell(const Command& command) {
  Nanos time{0};
  if (const auto value = command.value('P')) time = from_milliseconds(*value);
  if (const auto value = command.value('S')) time = from_milliseconds(*value * 1000);
  wait_for(Waiting::planner_empty, [this, time] { wait_until(now_ + time, nullptr); });
}

void Firmware::do_home(const Command&) {
  wait_for(Waiting::planner_empty, [this] {
    wait_until(now_ + dialect_.homing_time, [this] {
      if (dialect_.homing_fails) {
        halt("Homing Failed");
        return;
      }
      motion_.set_home();
      say(motion_.report());
    });
  });
}

void Firmware::do_level(const Command&) {
  wait_for(Waiting::planner_empty, [this] { wait_until(now_ + dialect_.leveling_time, nullptr); });
}

void Firmware::do_relative(const Command& command) { motion_.set_relative(command.number == 91); }

void Firmware::do_extruder_mode(const Command& command) {
  motion_.set_relative_extruder(command.number == 83);
}

void Firmware::do_set_position(const Command& command) {
  motion_.set_position(command);
  say(motion_.report());
}

void Firmware::do_tool(const Command& command) {
  if (command.number < kExtruders) return;
  say("echo:T" + std::to_string(command.number) + " Invalid extruder");
}

// M0 and M1 exist only where something can end them: the emergency parser's M108.
void Firmware::do_pause(const Command& command) {
  if (!dialect_.emergency_parser) {
    unknown(command);
    return;
  }
  Nanos time{0};
  if (const auto value = command.value('P')) time = from_milliseconds(*value);
  if (const auto value = command.value('S')) time = from_milliseconds(*value * 1000);
  wait_for(Waiting::planner_empty, [this, time] {
    wait_for(Waiting::user, nullptr);
    if (time > Nanos{0}) execution_.until = now_ + time;
  });
}

void Firmware::do_steppers_off(const Command& command) {
  if (command.number != 17 && command.has('S')) return;  // sets the idle timeout only
  wait_for(Waiting::planner_empty, nullptr);
}

void Firmware::do_finish_moves(const Command&) { wait_for(Waiting::planner_empty, nullptr); }

void Firmware::do_quick_stop(const Command&) {
  if (dialect_.emergency_parser) return;  // it has acted on arrival
  quick_stop();
  wait_until(stall_until_, nullptr);
}

// Only a numbered M112 comes this far, and only without the emergency parser.
void Firmware::do_halt(const Command&) {
  if (!ignores_halt_ && !dialect_.emergency_parser) halt("M112 Shutdown");
}

void Firmware::do_power_off(const Command&) {
  hotend_.switch_off();
  bed_.switch_off();
  fan_ = 0;
  wait_for(Waiting::planner_empty, [this] { wait_until(now_ + kPowerOffDelay, nullptr); });
}

void Firmware::do_hotend_target(const Command& command) {
  if (command.value('T').value_or(0) != 0) return;
  const auto value = command.value('S');
  if (!value) return;
  hotend_.set_target(*value, now_);
  update_job_timer(false, true);
}

void Firmware::do_hotend_wait(const Command& command) {
  if (command.value('T').value_or(0) != 0) return;
  const auto heat = command.value('S');
  const auto both = command.value('R');
  if (!heat && !both) return;
  hotend_.set_target(heat ? *heat : *both, now_);
  update_job_timer(true, true);
  heat_wait_ = HeatWait();
  heat_wait_.also_cooling = !heat;
  heat_wait_.next_report = now_;
  wait_for(Waiting::hotend, nullptr);
}

void Firmware::do_bed_target(const Command& command) {
  const auto value = command.value('S');
  if (!value) return;
  bed_.set_target(*value, now_);
  update_job_timer(false, true);
}

void Firmware::do_bed_wait(const Command& command) {
  const auto heat = command.value('S');
  const auto both = command.value('R');
  if (!heat && !both) return;
  bed_.set_target(heat ? *heat : *both, now_);
  update_job_timer(true, false);
  heat_wait_ = HeatWait();
  heat_wait_.also_cooling = !heat;
  heat_wait_.next_report = now_;
  wait_for(Waiting::bed, nullptr);
}

// The print timer starts with the first wait for heat and ends when all targets are off.
void Firmware::update_job_timer(bool can_start, bool can_stop) {
  const bool hot = hotend_.target() > kColdExtrusionCelsius / 2 || bed_.target() > 5;
  if (hot && can_start && !job_start_) job_start_ = now_;
  if (!hot && can_stop && job_start_) {
    job_time_ = now_ - *job_start_;
    job_start_.reset();
  }
}

void Firmware::do_auto_report(const Command& command) {
  const auto value = command.value('S');
  if (!value) return;
  const auto interval =
      seconds(static_cast<int>(std::clamp(*value, 0.0, double{kLongestReportSeconds})));
  report_interval_.reset();
  if (interval.count() == 0) return;
  report_interval_ = interval;
  next_report_ = now_ + interval;
}

void Firmware::do_fan(const Command& command) {
  if (command.value('P').value_or(0) != 0) return;
  fan_ = std::clamp(command.value('S').value_or(255), 0.0, 255.0) / 255;
}

void Firmware::do_fan_off(const Command& command) {
  if (command.value('P').value_or(0) == 0) fan_ = 0;
}

void Firmware::do_keepalive(const Command& command) {
  const auto value = command.value('S');
  if (!value) {
    say("echo:M113 S" + std::to_string(busy_interval_ / seconds(1)));
    return;
  }
  busy_interval_ = seconds(static_cast<int>(std::clamp(*value, 0.0, 60.0)));
}

void Firmware::do_percentages(const Command& command) {
  const auto value = command.value('S');
  double& percent = command.number == 220 ? motion_.feed_percent : motion_.flow_percent;
  if (value) {
    percent = std::clamp(*value, 10.0, 999.0);
    return;
  }
  const std::string text = std::to_string(std::lround(percent)) + "%";
  say(command.number == 220 ? "FR:" + text : "echo:E0 Flow: " + text);
}

}  // namespace firebreak::sim
