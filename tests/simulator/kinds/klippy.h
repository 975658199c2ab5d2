// Klipper: klippy's API, its G-code, its states, and the microcontroller behind it.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/simulator/kinds/gcode_host.h"
#include "tests/simulator/kinds/kind.h"
#include "tests/simulator/kinds/print_job.h"
#include "tests/simulator/kinds/verify_heater.h"

namespace firebreak::sim {

// What klippy calls itself. `gone`: the process does not run.
enum class KlippyState { startup, ready, shutdown, error, gone };
const char* klippy_state_name(KlippyState state);

// One klippy and its microcontroller. Knows no sockets: requests come as JSON, answers and
// notifications go to `send` with the number of the client. On the printer's clock; deterministic.
class Klippy {
 public:
  using Json = nlohmann::json;

  struct Ways {
    std::function<void(int client, const Json& message)> send;
    std::function<void()> drop_clients;  // all sockets close: restart or death
    std::function<void()> listen_again;
    std::function<void(const std::string& how)> stop_read;
  };

  Klippy(Printer* printer, const KindSetup& setup, Ways ways);

  void request(int client, const Json& message);
  void forget(int client);
  void advance();
  std::optional<Nanos> next_event() const;

  void start_print(const std::string& name, const std::string& gcode);
  void add_file(const std::string& name, const std::string& gcode) { files_[name] = gcode; }
  void die();    // the process is killed; the microcontroller lives on
  void start();  // the service is started again
  void set_frozen(bool on);
  void set_host_name(const std::string& name) { host_name_ = name; }
  void was_reset();

  KlippyState state() const { return state_; }
  const std::string& state_message() const { return message_; }
  // The JSON of `info`.
  Json info() const;
  // One object's fields as a query shows them; an object that does not exist has none.
  Json object(const std::string& name) const;

 private:
  struct Heater {
    const char* name;
    HeaterId id;
    double min_celsius;
    double max_celsius;
    VerifyHeater verify;
    double smoothed = 0;
    double power = 0;
    int out_of_range = 0;
  };
  struct Subscription {
    Json objects;
    Json key;   // the response template
    Json last;  // what was sent
  };
  struct Script {
    int client = -1;
    Json id;
    std::deque<std::string> lines;
  };
  struct Query {
    int client;
    Json id;
    Json objects;
  };
  struct Failure {
    std::string text;
  };
  using Handler = void (Klippy::*)(int client, const Json& id, const Json& params);
  struct Endpoint {
    const char* name;
    Handler handler;
  };
  static const Endpoint kEndpoints[];
  static const char* const kObjects[];

  // klippy.cc: requests and states
  void answer(int client, const Json& id, const Json& result);
  void refuse(int client, const Json& id, const std::string& text);
  void do_list_endpoints(int client, const Json& id, const Json& params);
  void do_info(int client, const Json& id, const Json& params);
  void do_emergency_stop(int client, const Json& id, const Json& params);
  void do_remote_method(int client, const Json& id, const Json& params);
  void do_help(int client, const Json& id, const Json& params);
  void do_script(int client, const Json& id, const Json& params);
  void do_restart(int client, const Json& id, const Json& params);
  void do_firmware_restart(int client, const Json& id, const Json& params);
  void do_subscribe_output(int client, const Json& id, const Json& params);
  void do_list(int client, const Json& id, const Json& params);
  void do_query(int client, const Json& id, const Json& params);
  void do_subscribe(int client, const Json& id, const Json& params);
  void do_pause(int client, const Json& id, const Json& params);
  void do_resume(int client, const Json& id, const Json& params);
  void do_cancel(int client, const Json& id, const Json& params);
  void do_endstops(int client, const Json& id, const Json& params);
  void shutdown(const std::string& reason);
  void restart(bool firmware);
  void enter(KlippyState state, std::string message);
  void begin_startup(bool microcontroller_is_shut_down);
  void sample_heaters();
  void check_heaters();
  void watch_microcontroller();
  void expire_lease();
  void serve_queries();

  // klippy_status.cc
  Json query(const Json& objects) const;
  Json changes(Subscription& subscription) const;
  Json heater_object(const Heater& heater) const;
  Json toolhead_object() const;
  Json print_stats_object() const;
  Json settings_object() const;
  Json live_object(const std::string& name) const;
  Json idle_object(const std::string& name) const;

  // klippy_gcode.cc
  void run_scripts();
  void run_next_of_script();
  void finish_script();
  // Carries out a line at once, or gives it to the board; throws Failure.
  void run_line(const std::string& text);
  void run_on_board(const Command& command, const std::string& line);
  bool run_extended(const std::string& word, const std::string& line);
  bool run_print_command(const std::string& word, const std::string& text);
  void check_move(const Command& command);
  void set_heater(Heater& heater, double celsius, const std::string& line);
  void give_to_board(const std::string& line);
  void respond(const std::string& text);
  void respond_error(const std::string& text);
  std::string temperatures() const;
  bool gcode_ready() const { return state_ == KlippyState::ready; }

  double seconds() const;  // eventtime

  Printer* printer_;
  KindSetup setup_;
  Ways ways_;
  GcodeHost host_;
  PrintJob job_;
  std::map<std::string, std::string> files_;
  std::string host_name_;
  KlippyState state_ = KlippyState::startup;
  std::string message_;
  Timers timers_;
  std::vector<Heater> heaters_;  // extruder, heater_bed
  std::map<int, Subscription> subscriptions_;
  std::map<int, Json> outputs_;  // gcode/subscribe_output: response templates
  std::vector<Query> queries_;
  std::deque<Script> scripts_;
  double targets_[2] = {0, 0};  // as klippy has set them, hotend and bed
  bool running_scripts_ = false;
  bool line_runs_ = false;  // the board has a line of the first script, or of the print
  bool heat_wait_ = false;
  Nanos next_temperature_line_{0};
  bool homed_ = false;
  bool microcontroller_down_ = false;
  std::optional<Nanos> silent_since_;
  Nanos next_sample_{0};
  Nanos next_check_{0};
  Nanos next_serve_{0};
  std::optional<Nanos> lease_until_;
  std::optional<Json> frozen_;  // objects as they were
  std::uint64_t epoch_ = 0;     // of restarts, so that timers of old ones do nothing
};

}  // namespace firebreak::sim
