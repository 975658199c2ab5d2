#include "coordinator/cli/commands.h"

#include <CLI/CLI.hpp>

#include "coordinator/cli/local.h"

namespace firebreak::cli {

// Where the options of every command are kept until its action runs.
struct Commands::Parts {
  explicit Parts(Context& owner) : context(owner) {}

  Context& context;
  CLI::App app{"Firebreak: stops 3D printers, and says what is proven.", "firebreak"};
  std::function<Done()> action;
  bool json = false;

  std::string printer;
  StopOrder stop;
  int wait_seconds = 10;
  ResetOrder reset;
  EventsQuery events;
  PlainOrder plain;

  CLI::App* add(CLI::App* parent, const char* name, const char* help, std::function<Done()> run) {
    CLI::App* command = parent->add_subcommand(name, help);
    // A flag is understood wherever it stands: after the command as well as before it.
    command->fallthrough();
    command->final_callback([this, run = std::move(run)] {
      if (!action) action = run;
    });
    return command;
  }
  void add_global_options();
  void add_local();
  void add_local_toward_heat(CLI::App* local);
};

void Commands::Parts::add_global_options() {
  app.add_flag("--json", json, "JSON on stdout: one document, or one a line where there are many");
  app.add_option("--socket", context.socket,
                 "The guard's socket on this host (FIREBREAK_SOCKET, else "
                 "/run/firebreak/control.sock)");
  app.add_option("--server", context.server,
                 "The coordinator: https://HOST:PORT (FIREBREAK_SERVER)");
  app.add_option("--config", context.config,
                 "Folder of config.yaml and token (FIREBREAK_CONFIG, else ~/.config/firebreak)");
  app.require_subcommand(1);
  app.set_help_flag("-h,--help", "This help");
}

void Commands::Parts::add_local() {
  CLI::App* local = app.add_subcommand("local", "The guard of this host: no network needed");
  local->fallthrough();
  local->require_subcommand(1);

  auto* status = add(local, "status", "What the guard sees and holds now",
                     [this] { return local_status(context, printer); });
  status->add_option("printer,-p,--printer", printer, "Only this printer, with every fact");

  auto* stop_command =
      add(local, "stop", "Stop printers of this host now; without names, all", [this] {
        stop.wait = std::chrono::seconds(wait_seconds);
        return local_stop(context, stop);
      });
  stop_command->add_option("printers,-p,--printer", stop.printers, "Printers to stop");
  stop_command->add_flag("--all", stop.all, "All printers of this host (the default)");
  stop_command->add_option("--wait", wait_seconds, "Seconds to wait for proof")
      ->check(CLI::Range(0, 600))
      ->capture_default_str();

  auto* events_command = add(local, "events", "The newest events of the black box",
                             [this] { return local_events(context, events); });
  events_command->add_flag("-f,--follow", events.follow, "Go on with new events until Ctrl-C");
  events_command->add_option("--after", events.after, "From the event after this number")
      ->check(CLI::NonNegativeNumber);
  events_command->add_option("--limit", events.limit, "At most so many")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  events_command->add_option("--log", events.log, "An older log, by its id (16 hex digits)");

  const auto plain_verb = [this, local](const char* name, const char* verb, const char* help) {
    return add(local, name, help, [this, verb] {
      plain.verb = verb;
      return local_order(context, plain);
    });
  };
  plain_verb("silence", "silence", "Silence the alarm for 10 minutes; clears nothing");
  plain_verb("restart", "restart", "Restart the guard, handing its ports over");
  plain_verb("unpark", "unpark", "Take a parked guard up again, tripped");
  plain_verb("forget-restarts", "forget_restarts", "Board sim only: forget counted restarts")
      ->group("");
  add_local_toward_heat(local);
}

void Commands::Parts::add_local_toward_heat(CLI::App* local) {
  auto* reset_command = add(local, "reset", "Clear a latch, at the machine; begins probation",
                            [this] { return local_reset(context, reset); });
  auto* which = reset_command->add_option_group("what");
  which->add_option("printer,-p,--printer", reset.printer, "The printer");
  which->add_flag("--all", reset.all, "Every printer of this host, one by one");
  which->add_flag("--host", reset.host, "The host's own latch (button, smoke)");
  which->require_option(1);
  reset_command
      ->add_option("--latch", reset.latch_number,
                   "The latch number, as `firebreak local status` shows it")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{0xFFFFFFFF}));
  reset_command->add_option("--reason", reset.reason, "What was found and done, for the record");
  reset_command
      ->add_option("--measured", reset.measured_celsius,
                   "Degrees Celsius that you measured at the machine just now")
      ->check(CLI::Number);

  const auto printer_verb = [this, local](const char* verb, const char* help) {
    auto* command = add(local, verb, help, [this, verb] {
      plain.verb = verb;
      return local_order(context, plain);
    });
    command->add_option("printer,-p,--printer", plain.printer, "The printer")->required();
    return command;
  };
  printer_verb("release", "End a clean probation: the printer is armed, cold");
  printer_verb("arm", "Switch the model's verdicts on (end of watch)");
  printer_verb("watch", "Mute the model's verdicts for a time; limits stay")
      ->add_option("--hours", plain.hours, "For how long")
      ->check(CLI::Range(1, 168))
      ->capture_default_str();
  printer_verb("commission", "Go through the next test of a new printer")
      ->add_option("step,--step", plain.step, "The test")
      ->required();
}

Commands::Commands(Context& context) : parts_(std::make_unique<Parts>(context)) {
  parts_->add_global_options();
  parts_->add_local();
  parts_->app.parse_complete_callback(
      [parts = parts_.get()] { parts->context.console.set_json(parts->json); });
}

Commands::~Commands() = default;

CLI::App& Commands::app() { return parts_->app; }

const std::function<Done()>& Commands::action() const { return parts_->action; }

}  // namespace firebreak::cli
