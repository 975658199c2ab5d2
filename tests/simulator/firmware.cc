#include "tests/simulator/firmware.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

namespace firebreak::sim {
namespace {

using std::chrono::seconds;

constexpr Nanos kDefaultBusyInterval = seconds(2);
// quick_stop() clears the planner for one second of the temperature timer.
constexpr Nanos kQuickStopTime = seconds(1);
constexpr Nanos kResidency = seconds(10);
constexpr double kResidencyWindow = 1;
constexpr double kResidencyHysteresis = 3;
constexpr Nanos kWaitReport = seconds(1);
// Nobody reads: the firmware's transmit buffer does not grow without bound.
constexpr std::size_t kOutputBytes = std::size_t{4} << 20;

}  // namespace

Firmware::Firmware(const Dialect& dialect)
    : dialect_(dialect),
      input_(dialect),
      reader_(dialect.line_bytes),
      motion_(dialect.block_moves, dialect.motion_slowness),
      hotend_(hotend_rules(true)),
      bed_(bed_rules(true)) {}

ControlRules Firmware::hotend_rules(bool protection) const {
  return {true,
          protection && dialect_.thermal_protection,
          protection && dialect_.hotend_sensor == SensorKind::thermistor,
          dialect_.hotend_min_celsius,
          dialect_.hotend_max_celsius,
          4,
          seconds(40),
          seconds(40)};
}

ControlRules Firmware::bed_rules(bool protection) const {
  // Without thermal protection the build has no limits for the bed either (recorded:
  // notp_maxtemp_bed_idle).
  const bool on = protection && dialect_.thermal_protection;
  return {dialect_.bed_control == BedControl::pid,
          on,
          on,
          dialect_.bed_min_celsius,
          dialect_.bed_max_celsius,
          2,
          seconds(20),
          seconds(60)};
}

void Firmware::set_protection(bool on) {
  protection_ = on;
  hotend_.set_rules(hotend_rules(on));
  bed_.set_rules(bed_rules(on));
}

void Firmware::power_on(Nanos now) {
  now_ = now;
  power_off();
  state_ = FirmwareState::booting;
  boot_until_ = now + dialect_.boot_time;
}

void Firmware::power_off() {
  state_ = FirmwareState::off;
  hung_ = false;
  input_.clear();
  reader_ = LineReader(dialect_.line_bytes);
  queue_.clear();
  execution_ = Execution();
  motion_ = Motion(dialect_.block_moves, dialect_.motion_slowness);
  hotend_ = HeaterControl(hotend_rules(protection_));
  bed_ = HeaterControl(bed_rules(protection_));
  fan_ = 0;
  halt_requested_ = break_wait_ = false;
  stall_until_ = Nanos{0};
  report_interval_.reset();
  busy_interval_ = kDefaultBusyInterval;
  job_start_.reset();
  job_time_ = Nanos{0};
  halt_reason_.clear();
  output_.clear();
}

void Firmware::boot() {
  state_ = FirmwareState::running;
  input_.clear();  // what came while the boot loader ran is lost
  for (const std::string& line : dialect_.lines_before_start) say(line);
  say("start");
  say("PowerUp");
  say(dialect_.version_line);
  say("echo: Last Updated: 2023-01-07 | Author: (none, default config)");
  say("echo: Compiled: Nov 21 2026");
  say("echo: Free Memory: 0  PlannerBufferBytes: 1280");
  say("echo:Hardcoded Default Settings Loaded");
  say_settings("echo:");
}

void Firmware::receive(std::string_view bytes, Nanos now) {
  now_ = now;
  input_.send(bytes, now);
}

void Firmware::say(std::string_view line) {
  if (output_.size() > kOutputBytes) output_.clear();
  output_.append(line);
  output_ += '\n';
}

std::string Firmware::take_output() { return std::exchange(output_, {}); }

void Firmware::service(Nanos now) {
  now_ = now;
  motion_.advance(now);
  if (state_ == FirmwareState::booting && now >= boot_until_) boot();
  input_.arrive(now, [this](Emergency found) { on_emergency(found); });
  if (hung_) return;
  for (bool progress = true; progress && state_ == FirmwareState::running;) {
    progress = pull_lines();
    if (halt_requested_) {
      halt("M112 Shutdown");
      return;
    }
    if (finish_waiting()) progress = true;
    if (state_ != FirmwareState::running) return;
    send_reports();
    if (!execution_.active && !queue_.empty() && now_ >= stall_until_) {
      execute();
      progress = true;
    }
  }
}

std::optional<Nanos> Firmware::next_event() const {
  std::optional<Nanos> next;
  const auto add = [&next](Nanos time) {
    if (!next || time < *next) next = time;
  };
  if (state_ == FirmwareState::booting) add(boot_until_);
  if (const auto arrival = input_.next_arrival()) add(*arrival);
  if (state_ != FirmwareState::running || hung_) return next;
  if (const auto end = motion_.next_end()) add(*end);
  if (stall_until_ > now_) add(stall_until_);
  if (report_interval_) add(next_report_);
  if (execution_.active) {
    if (busy_interval_ > Nanos{0}) add(next_busy_);
    const bool timed = execution_.waiting == Waiting::time || execution_.waiting == Waiting::user;
    if (timed && execution_.until > Nanos{0}) add(execution_.until);
    if (execution_.waiting == Waiting::hotend || execution_.waiting == Waiting::bed) {
      add(heat_wait_.next_report);
    }
  }
  return next;
}

void Firmware::on_emergency(Emergency found) {
  if (state_ != FirmwareState::running) return;
  switch (found) {
    case Emergency::halt: halt_requested_ = halt_requested_ || !ignores_halt_; break;
    case Emergency::break_wait: break_wait_ = true; break;
    case Emergency::quick_stop:
      if (!hung_) quick_stop();
      break;
    case Emergency::none: break;
  }
}

// Takes characters from the ring while the queue has room, as get_serial_commands() does.
bool Firmware::pull_lines() {
  bool progress = false;
  while (queue_.size() < dialect_.queue_lines && state_ == FirmwareState::running) {
    const auto byte = input_.take();
    if (!byte) break;
    progress = true;
    if (const auto result = reader_.take(*byte)) take_line(*result);
    if (halt_requested_ && !dialect_.emergency_parser) break;
  }
  return progress;
}

void Firmware::take_line(const LineResult& result) {
  if (result.fault) {
    const std::string last = std::to_string(result.fault->last_line);
    say("Error:" + result.fault->text + last);
    say("Resend: " + std::to_string(result.fault->last_line + 1));
    say("ok");
    return;
  }
  if (!dialect_.emergency_parser && !dialect_.emergency_bytes) early_commands(result.line);
  queue_.push_back(result.line);
}

// Without the emergency parser three commands act as their line leaves the ring, if it starts with
// M; the third letter decides first, as in the firmware.
void Firmware::early_commands(const std::string& line) {
  const std::size_t start = line.find_first_not_of(' ');
  if (start == std::string::npos || line[start] != 'M') return;
  const std::string command = line.substr(start, 4);
  if (command == "M108") break_wait_ = true;
  if (command == "M112") halt_requested_ = halt_requested_ || !ignores_halt_;
  if (command == "M410") quick_stop();
}

void Firmware::execute() {
  const Command command = parse_command(queue_.front());
  execution_ = Execution();
  execution_.active = true;
  next_busy_ = now_ + busy_interval_;
  break_wait_ = false;
  const Entry* entry = find(command);
  if (entry == nullptr) {
    unknown(command);
  } else {
    (this->*entry->handler)(command);
  }
  const bool done = execution_.active && execution_.waiting == Waiting::nothing;
  if (state_ == FirmwareState::running && done) finish_command();
}

void Firmware::finish_command() {
  execution_ = Execution();
  if (!queue_.empty()) queue_.pop_front();
  say("ok");
}

void Firmware::wait_for(Waiting waiting, std::function<void()> then) {
  execution_.waiting = waiting;
  execution_.until = Nanos{0};
  execution_.then = std::move(then);
}

void Firmware::wait_until(Nanos time, std::function<void()> then) {
  execution_.waiting = Waiting::time;
  execution_.until = time;
  execution_.then = std::move(then);
}

bool Firmware::finish_waiting() {
  if (!execution_.active || !wait_is_over()) return false;
  const auto then = std::move(execution_.then);
  execution_.waiting = Waiting::nothing;
  execution_.then = nullptr;
  if (then) then();
  if (state_ != FirmwareState::running) return true;
  if (execution_.waiting == Waiting::nothing) finish_command();
  return true;
}

bool Firmware::wait_is_over() {
  switch (execution_.waiting) {
    case Waiting::nothing: return false;
    case Waiting::planner_room: return !motion_.full();
    case Waiting::planner_empty: return motion_.idle();
    case Waiting::time: return now_ >= execution_.until;
    case Waiting::hotend: return heat_wait_over(hotend_);
    case Waiting::bed: return heat_wait_over(bed_);
    case Waiting::user:
      return break_wait_ || (execution_.until > Nanos{0} && now_ >= execution_.until);
  }
  return false;
}

bool Firmware::heat_wait_over(const HeaterControl& heater) {
  HeatWait& wait = heat_wait_;
  const bool wants_to_cool = heater.reading() > heater.target();
  if (wait.first_look && wants_to_cool && !wait.also_cooling) return true;
  if (now_ >= wait.next_report) {
    std::string rest = "?";
    if (wait.residency_start) {
      const Nanos left = std::max(Nanos{0}, kResidency - (now_ - *wait.residency_start));
      rest = std::to_string(std::chrono::duration_cast<seconds>(left).count());
    }
    say(temperatures() + " W:" + rest);
    wait.next_report += kWaitReport;
  }
  const double apart = std::abs(heater.target() - heater.reading());
  if (!wait.residency_start) {
    if (apart < kResidencyWindow) {
      wait.residency_start = wait.first_look ? now_ - kResidency * 2 / 3 : now_;
    }
  } else if (apart > kResidencyHysteresis) {
    wait.residency_start = now_;
  }
  wait.first_look = false;
  const bool settled = wait.residency_start && now_ - *wait.residency_start >= kResidency;
  return settled || break_wait_;
}

void Firmware::send_reports() {
  if (report_interval_ && now_ >= next_report_) {
    say(temperatures());
    next_report_ += *report_interval_;
  }
  if (!execution_.active || busy_interval_ <= Nanos{0} || now_ < next_busy_) return;
  const bool user = execution_.waiting == Waiting::user;
  say(user ? "echo:busy: paused for user" : "echo:busy: processing");
  next_busy_ += busy_interval_;
}

void Firmware::quick_stop() {
  motion_.quick_stop(now_);
  stall_until_ = now_ + kQuickStopTime;
}

void Firmware::sample(double hotend, double bed, Nanos now) {
  now_ = now;
  if (state_ == FirmwareState::halted && !hung_) {
    hotend_.observe(hotend);
    bed_.observe(bed);
  }
  if (state_ != FirmwareState::running || hung_) return;
  const auto hotend_fault = hotend_.sample(hotend, now);
  const auto bed_fault = bed_.sample(bed, now);
  if (hotend_fault) {
    halt_for(*hotend_fault, "E0");
  } else if (bed_fault) {
    halt_for(*bed_fault, "bed");
  }
}

void Firmware::halt_for(const ThermalFault& fault, const std::string& heater) {
  say("Error:" + fault.serial_text + ", system stopped! Heater_ID: " + heater);
  if (heater == "E0") say("");
  halt(fault.halt_text);
}

void Firmware::stop(const std::string& reason) {
  if (state_ != FirmwareState::off && state_ != FirmwareState::halted && !ignores_halt_)
    halt(reason);
}

// kill(): the last words, then silence until a reset.
void Firmware::halt(const std::string& reason) {
  hotend_.switch_off();
  bed_.switch_off();
  motion_.quick_stop(now_);
  queue_.clear();
  execution_ = Execution();
  halt_requested_ = false;
  halt_reason_ = reason;
  state_ = FirmwareState::halted;
  say("echo:" + reason);
  say("Error:Printer halted. kill() called!");
  say("//action:poweroff");
}

std::string Firmware::temperatures() const {
  char text[120];
  std::snprintf(text, sizeof text, " T:%.2f /%.2f B:%.2f /%.2f @:%d B@:%d", hotend_.reading(),
                hotend_.target(), bed_.reading(), bed_.target(), hotend_.duty(), bed_.duty());
  return text;
}

}  // namespace firebreak::sim
