// A Marlin build: takes bytes, answers text, drives heaters, and stops itself as the real one does.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "tests/simulator/dialect.h"
#include "tests/simulator/gcode.h"
#include "tests/simulator/heater_control.h"
#include "tests/simulator/motion.h"
#include "tests/simulator/serial_input.h"

namespace firebreak::sim {

enum class FirmwareState { off, booting, running, halted };

// One firmware. Not thread-safe. Time is given to it and never goes back.
class Firmware {
 public:
  explicit Firmware(const Dialect& dialect);

  void power_on(Nanos now);  // also what a reset does: everything is forgotten, the banner comes
  void power_off();
  void receive(std::string_view bytes, Nanos now);
  std::size_t input_room() const { return input_.room(); }
  // Everything that is due at `now`. Call it at every next_event() and after receive().
  void service(Nanos now);
  std::optional<Nanos> next_event() const;
  // New readings of both sensors; heats, and halts when a protection of the build says so.
  void sample(double hotend, double bed, Nanos now);
  std::string take_output();
  // Stops as kill() does, by a way that is no line of G-code: a network service's, a lost lease.
  void stop(const std::string& reason);

  void set_hung(bool on) { hung_ = on; }
  void set_ignores_halt(bool on) { ignores_halt_ = on; }
  void set_protection(bool on);

  FirmwareState state() const { return state_; }
  bool hung() const { return hung_; }
  bool ignores_halt() const { return ignores_halt_; }
  bool protection() const { return protection_; }
  const Motion& motion() const { return motion_; }
  const HeaterControl& hotend() const { return hotend_; }
  const HeaterControl& bed() const { return bed_; }
  double fan() const { return fan_; }
  double flow() const { return motion_.flow(); }
  const std::string& halt_reason() const { return halt_reason_; }
  std::size_t queued_lines() const { return queue_.size(); }
  bool moving() const { return !motion_.idle(); }
  std::uint64_t received() const { return input_.received(); }
  std::uint64_t dropped() const { return input_.dropped(); }

 private:
  enum class Waiting { nothing, planner_room, planner_empty, time, hotend, bed, user };

  // The command at work. `then` runs when the wait is over; it may start another wait.
  struct Execution {
    bool active = false;
    Waiting waiting = Waiting::nothing;
    Nanos until{0};
    std::optional<Move> move;
    std::function<void()> then;
  };

  // M109 and M190: the temperature must stay close for ten seconds.
  struct HeatWait {
    bool also_cooling = false;
    bool first_look = true;
    std::optional<Nanos> residency_start;
    Nanos next_report{0};
  };

  struct Entry {
    char letter;
    int number;
    void (Firmware::*handler)(const Command&);
  };
  static const Entry kCommands[];
  static const Entry* find(const Command& command);

  void boot();
  bool pull_lines();
  void take_line(const LineResult& result);
  void early_commands(const std::string& line);
  void on_emergency(Emergency found);
  void execute();
  bool finish_waiting();
  bool wait_is_over();
  bool heat_wait_over(const HeaterControl& heater);
  void finish_command();
  void wait_for(Waiting waiting, std::function<void()> then);
  void wait_until(Nanos time, std::function<void()> then);
  void send_reports();
  void halt(const std::string& reason);
  void halt_for(const ThermalFault& fault, const std::string& heater);
  void quick_stop();
  void say(std::string_view line);
  void unknown(const Command& command);
  std::string temperatures() const;
  ControlRules hotend_rules(bool protection) const;
  ControlRules bed_rules(bool protection) const;
  void update_job_timer(bool can_start, bool can_stop);

  void say_settings(std::string_view prefix);
  void do_accept(const Command& command);
  void do_move(const Command& command);
  void do_dwell(const Command& command);
  void do_home(const Command& command);
  void do_level(const Command& command);
  void do_relative(const Command& command);
  void do_extruder_mode(const Command& command);
  void do_set_position(const Command& command);
  void do_tool(const Command& command);
  void do_pause(const Command& command);
  void do_steppers_off(const Command& command);
  void do_finish_moves(const Command& command);
  void do_quick_stop(const Command& command);
  void do_halt(const Command& command);
  void do_power_off(const Command& command);
  void do_hotend_target(const Command& command);
  void do_hotend_wait(const Command& command);
  void do_bed_target(const Command& command);
  void do_bed_wait(const Command& command);
  void do_temperatures(const Command& command);
  void do_auto_report(const Command& command);
  void do_fan(const Command& command);
  void do_fan_off(const Command& command);
  void do_line_number(const Command& command);
  void do_keepalive(const Command& command);
  void do_position(const Command& command);
  void do_identity(const Command& command);
  void do_echo(const Command& command);
  void do_endstops(const Command& command);
  void do_list_files(const Command& command);
  void do_print_status(const Command& command);
  void do_print_time(const Command& command);
  void do_settings(const Command& command);
  void do_defaults(const Command& command);
  void do_store(const Command& command);
  void do_percentages(const Command& command);
  void do_limits(const Command& command);
  void do_debug(const Command& command);
  void do_setting_line(const Command& command);

  Dialect dialect_;
  FirmwareState state_ = FirmwareState::off;
  bool hung_ = false;
  bool ignores_halt_ = false;
  bool protection_ = true;
  Nanos now_{0};
  Nanos boot_until_{0};
  SerialInput input_;
  LineReader reader_;
  std::deque<std::string> queue_;  // the front is the line being executed, if any
  Execution execution_;
  HeatWait heat_wait_;
  Motion motion_;
  HeaterControl hotend_;
  HeaterControl bed_;
  double fan_ = 0;
  bool halt_requested_ = false;
  bool break_wait_ = false;
  Nanos stall_until_{0};
  std::optional<Nanos> report_interval_;
  Nanos next_report_{0};
  Nanos busy_interval_{0};
  Nanos next_busy_{0};
  std::optional<Nanos> job_start_;
  Nanos job_time_{0};
  std::string halt_reason_;
  std::string output_;
};

}  // namespace firebreak::sim
