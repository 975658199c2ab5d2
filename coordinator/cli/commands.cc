#include "coordinator/cli/commands.h"

#include <CLI/CLI.hpp>

#include "coordinator/cli/completion.h"
#include "coordinator/cli/find/diagnose.h"
#include "coordinator/cli/find/scan.h"
#include "coordinator/cli/local.h"
#include "coordinator/cli/remote.h"
#include "coordinator/cli/replay/replay.h"
#include "coordinator/cli/setup.h"

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
  std::string heater;
  bool check = false;
  KeyOrder key;
  GrantOrder grant;
  LoginOrder login_order;
  ReplayOrder replay;
  TokenOrder token;
  ScanRequest scan;
  DiagnoseRequest diagnosis;
  std::string uplink_config = "/etc/firebreak/uplink.yaml";
  std::string agent;
  int minutes = 0;
  std::string shell;
  std::vector<std::string> words;

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
  void add_views();
  void add_stop();
  void add_grants();
  void add_login();
  void add_administration();
  void add_tokens();
  void add_for_shells();
  void add_finding();
  void add_scan_options(CLI::App* command);
  void add_replay();
  void add_local();
  void add_local_toward_heat(CLI::App* local);
  void add_local_setup(CLI::App* local);
  void add_local_finding(CLI::App* local);
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
  app.set_version_flag("--version", FIREBREAK_VERSION, "The version of this program alone");
}

void Commands::Parts::add_views() {
  auto* status = add(&app, "status", "Every printer, or one with every fact",
                     [this] { return fleet_status(context, printer, check); });
  status->add_option("printer,-p,--printer", printer, "Only this printer");
  status->add_flag("--check", check, "Exit status 8 when something needs attention");
  add(&app, "fleet", "Agents and printers at this moment",
      [this] { return fleet_overview(context); });
  auto* agents = add(&app, "agents", "Agents: who is connected, and what they warn of",
                     [this] { return fleet_agents(context); });
  add(agents, "revoke", "Cut an agent off; its printers stay protected",
      [this] { return revoke_agent(context, agent); })
      ->add_option("agent", agent, "The agent's name")
      ->required();
  add(agents, "approve", "Let an agent renew a certificate that has ended",
      [this] { return approve_agent(context, agent); })
      ->add_option("agent", agent, "The agent's name")
      ->required();
  auto* log = add(&app, "events", "The newest events of all agents",
                  [this] { return fleet_events(context, events); });
  log->add_flag("-f,--follow", events.follow, "Go on with new events until Ctrl-C");
  log->add_option("--after", events.after, "From the event after this id")
      ->check(CLI::NonNegativeNumber);
  log->add_option("--limit", events.limit, "At most so many")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  log->add_option("-p,--printer", events.printer, "Only of this printer");
  log->add_option("--agent", events.agent, "Only of this agent");
  log->add_option("--severity", events.severity, "Only of this severity")
      ->check(CLI::IsMember({"info", "warning", "alarm"}));
}

void Commands::Parts::add_stop() {
  auto* command = add(&app, "stop", "Stop printers now; never asks", [this] {
    stop.wait = std::chrono::seconds(wait_seconds);
    return fleet_stop(context, stop);
  });
  auto* which = command->add_option_group("which");
  which->add_option("printers,-p,--printer", stop.printers, "Printers to stop");
  which->add_option("--agent", stop.agent, "Every printer of this agent");
  which->add_flag("--all", stop.all, "Every printer of the fleet");
  which->require_option(1);
  command->add_option("--reason", stop.reason, "Why, for the record");
  command->add_option("--wait", wait_seconds, "Seconds to wait for proof")
      ->check(CLI::Range(0, 600))
      ->capture_default_str();
}

void Commands::Parts::add_grants() {
  auto* reset_command =
      add(&app, "reset", "Reset a mild cause from afar; begins probation", [this] {
        grant.release = false;
        return fleet_grant(context, grant);
      });
  reset_command->add_option("printer,-p,--printer", grant.printer, "The printer")->required();
  reset_command->add_option("--latch", grant.latch_number, "The latch number that it shows")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{0xFFFFFFFF}));
  reset_command->add_option("--reason", grant.reason, "What was found and done, for the record");
  auto* release = add(&app, "release", "End a clean probation: the printer is armed, cold", [this] {
    grant.release = true;
    return fleet_grant(context, grant);
  });
  release->add_option("printer,-p,--printer", grant.printer, "The printer")->required();
  release->add_option("--reason", grant.reason, "For the record");
}

void Commands::Parts::add_login() {
  auto* command = add(&app, "login", "Keep a coordinator's address, its CA and a token",
                      [this] { return login(context, login_order); });
  command->add_option("server", login_order.server, "https://HOST:PORT")->required();
  auto* ca = command->add_option("--ca", login_order.ca_file, "The coordinator's ca.pem");
  command->add_option("--fingerprint", login_order.fingerprint, "SHA-256 of its CA, in hex")
      ->excludes(ca);
  command->add_option("--token-file", login_order.token_file,
                      "A file with the token; '-' is standard input. Without it you are asked");
}

void Commands::Parts::add_administration() {
  auto* enroll = add(&app, "enroll", "A one-time token that lets a new agent in",
                     [this] { return make_enrolment(context, agent, minutes); });
  enroll->add_option("agent", agent, "The new agent's name")->required();
  enroll->add_option("--minutes", minutes, "How long it is good for")->check(CLI::Range(1, 15));
  auto* audit = app.add_subcommand("audit", "The coordinator's audit log");
  audit->fallthrough();
  audit->require_subcommand(1);
  add(audit, "verify", "Check every record; exit status 8 when one is wrong",
      [this] { return verify_audit(context); });
  add(&app, "version", "Of this program and of the coordinator",
      [this] { return show_version(context); });
  add_tokens();
}

void Commands::Parts::add_tokens() {
  auto* tokens = app.add_subcommand("token", "Tokens of people and machines");
  tokens->fallthrough();
  tokens->require_subcommand(1);
  add(tokens, "list", "All tokens, without their secrets", [this] { return list_tokens(context); });
  auto* create = add(tokens, "create", "Make a token; it is shown once",
                     [this] { return create_token(context, token); });
  create->add_option("name", token.name, "Whose it is or what for")->required();
  create->add_option("--scope", token.scopes, "view, stop, operate, reset, admin")
      ->required()
      ->delimiter(',')
      ->check(CLI::IsMember({"view", "stop", "operate", "reset", "admin"}));
  create->add_option("--kind", token.kind, "person or machine; a machine never resets")
      ->check(CLI::IsMember({"person", "machine"}))
      ->capture_default_str();
  create->add_option("--expires", token.expires, "RFC 3339, such as 2027-01-31T00:00:00Z");
  add(tokens, "revoke", "Make a token worthless at once",
      [this] { return revoke_token(context, token.name); })
      ->add_option("id", token.name, "Its id, of `token list`")
      ->required();
}

void Commands::Parts::add_for_shells() {
  add(&app, "completion", "A completion script for your shell",
      [this]() -> Done {
        context.console.data(completion_script(shell));
        return ExitStatus::done;
      })
      ->add_option("shell", shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  auto* complete = add(&app, "__complete", "", [this]() -> Done {
    for (const auto& word : completions(app, words, [this] { return printer_names(context); })) {
      context.console.data(word + "\n");
    }
    return ExitStatus::done;
  });
  complete->group("");
  complete->add_option("words", words);
}

void Commands::Parts::add_scan_options(CLI::App* command) {
  auto* host = command->add_option("--host", scan.host, "Ask this HOST[:PORT] too, without a key");
  command->add_option("--range", scan.range, "Ask the hosts of this range too: 192.168.1.0/24")
      ->excludes(host);
  command->add_flag("--register", scan.lines, "Print the configuration lines of what is new");
  command->add_option("--probe", scan.probe, "Open this serial port, which may reset its board");
}

void Commands::Parts::add_finding() {
  auto* look = add(&app, "scan", "What the agents can see: new, moved, known and missing printers",
                   [this] { return fleet_scan(context, scan); });
  look->add_option("--agent", scan.agent, "Only this agent");
  add_scan_options(look);
  auto* command = add(&app, "diagnose", "Why a printer is offline, step by step",
                      [this] { return fleet_diagnose(context, diagnosis); });
  command->add_option("printer,-p,--printer", diagnosis.printer, "The printer")->required();
  command->add_flag("--fix", diagnosis.fix, "Restart its services where its host allows it");
}

void Commands::Parts::add_local_finding(CLI::App* local) {
  const auto add_config = [this](CLI::App* command) {
    command->add_option("--uplink-config", uplink_config, "This host's uplink.yaml")
        ->capture_default_str();
  };
  auto* look = add(local, "scan", "What this host can see; needs no coordinator", [this] {
    scan.uplink_config = uplink_config;
    return local_scan(context, scan);
  });
  add_scan_options(look);
  look->add_flag("--yes", scan.yes, "With --probe: nothing prints on that port");
  add_config(look);
  auto* command = add(local, "diagnose", "Why a printer of this host is offline", [this] {
    diagnosis.uplink_config = uplink_config;
    return local_diagnose(context, diagnosis);
  });
  command->add_option("printer,-p,--printer", diagnosis.printer, "The printer")->required();
  command->add_flag("--fix", diagnosis.fix, "Restart its services, where you may");
  add_config(command);
}

void Commands::Parts::add_replay() {
  auto* command = add(&app, "replay", "What the thermal engine would have said of a recording",
                      [this] { return replay_recording(context, replay); });
  command->add_option("file", replay.file,
                      "A CSV (t,heater,temp,target,duty,fan,flow), an OctoPrint serial.log, a "
                      "klippy.log, or a guard's black box (its state folder or a file in it)");
  command->add_option("-p,--printer", replay.printer, "Of a black box: this printer");
  command->add_option("--boot", replay.boots_back, "Of a black box: so many boots back")
      ->check(CLI::NonNegativeNumber);
  auto* model = command->add_option("--model", replay.model, "Use these learned models");
  command->add_option("--learn", replay.learn, "Learn from this supervised heat-up first")
      ->excludes(model);
  command->add_option("--batch", replay.batch,
                      "Every *.trace.csv of a folder, with NAME.heatup.csv beside it");
  command->add_option("--svg", replay.svg, "Draw the curves into this file");
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
  add_local_setup(local);
  add_local_finding(local);
}

void Commands::Parts::add_local_setup(CLI::App* local) {
  add(local, "ports", "The serial ports of this host; opens none",
      [this] { return list_ports(context); });
  auto* enroll = add(local, "enroll", "Write the coordinator's public reset key (as root)",
                     [this] { return write_reset_key(context, key); });
  auto* text = enroll->add_option("--key", key.key, "64 hex digits");
  enroll->add_option("--key-file", key.key_file, "A file with them; '-' is standard input")
      ->excludes(text);
  enroll->add_option("--out", key.out, "Where guard.yaml's grant_key points")
      ->capture_default_str();
  enroll->add_flag("--replace", key.replace, "Replace another coordinator's key");
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
  printer_verb("confirm", "You have looked and nothing heats: probation goes on for 15 s");
  printer_verb("arm", "Switch the model's verdicts on (end of watch)");
  printer_verb("watch", "Mute the model's verdicts for a time; limits stay")
      ->add_option("--hours", plain.hours, "For how long")
      ->check(CLI::Range(1, 168))
      ->capture_default_str();
  const auto printer_of = [this](CLI::App* command) {
    return command->add_option("printer,-p,--printer", plain.printer, "The printer");
  };
  printer_of(add(local, "commission",
                 "What a new printer still needs, then its heaters learned under your eyes; exit "
                 "status 8 while something is open",
                 [this] { return local_commission(context, plain.printer); }))
      ->required();
  printer_of(add(local, "models", "The heaters' learned and proposed models",
                 [this] { return local_models(context, plain.printer); }));
  auto* approve = add(local, "approve-model", "Use what ordinary prints proposed",
                      [this] { return local_approve_model(context, plain.printer, heater); });
  printer_of(approve)->required();
  approve->add_option("--heater", heater, "Only this heater's");
}

Commands::Commands(Context& context) : parts_(std::make_unique<Parts>(context)) {
  parts_->add_global_options();
  parts_->add_views();
  parts_->add_stop();
  parts_->add_grants();
  parts_->add_finding();
  parts_->add_replay();
  parts_->add_local();
  parts_->add_login();
  parts_->add_administration();
  parts_->add_for_shells();
  parts_->app.parse_complete_callback(
      [parts = parts_.get()] { parts->context.console.set_json(parts->json); });
}

Commands::~Commands() = default;

CLI::App& Commands::app() { return parts_->app; }

const std::function<Done()>& Commands::action() const { return parts_->action; }

}  // namespace firebreak::cli
