// firebreak-uplink: the network half of an agent. Wires the parts; decides nothing.

#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>
#include <csignal>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

#include "agent/uplink/enroll.h"
#include "agent/uplink/printers/printer_set.h"
#include "agent/uplink/settings.h"
#include "agent/uplink/state_files.h"
#include "agent/uplink/uplink.h"
#include "common/log/log.h"

namespace {

using namespace firebreak;

constexpr int exit_failed = 1;
constexpr int exit_usage = 2;

/// SIGHUP: checks the whole file again. A bad one changes nothing; of a good one nothing can be
/// taken over in the middle of a session, so what differs is named.
void check_again(const uplink::Settings& running, const std::string& config) {
  const auto wanted = uplink::load_settings(config);
  if (!wanted)
    return log::error("configuration: the new one is refused, the running one stays: {}",
                      wanted.error().message);
  std::string names;
  for (const std::string& key : uplink::keys_that_need_a_restart(running, *wanted))
    names += (names.empty() ? "" : ", ") + key;
  if (names.empty()) return log::info("configuration: read again, nothing has changed");
  log::warning("configuration: read again; needs a restart: {}", names);
}

void take_signals(asio::signal_set& signals, uplink::Uplink& agent, uplink::PrinterSet& printers,
                  const uplink::Settings& settings, const std::string& config) {
  signals.async_wait([&](std::error_code code, int signal) {
    if (code) return;
    if (signal != SIGHUP) {
      printers.close();
      return agent.stop();
    }
    take_signals(signals, agent, printers, settings, config);
    check_again(settings, config);
  });
}

int run(const uplink::Settings& settings, const std::string& config) {
  asio::io_context io(1);
  SystemClock clock;
  auto agent = uplink::Uplink::create(io, clock, settings, {});
  uplink::PrinterSet printers(io, clock, settings.guard_socket, settings.printers);
  if (auto started = agent->start(); !started) {
    log::error("{}", started.error().message);
    // Network printers are guarded without a coordinator too.
    if (settings.printers.empty()) return exit_failed;
  }
  printers.start();
  asio::signal_set signals(io, SIGTERM, SIGINT, SIGHUP);
  take_signals(signals, *agent, printers, settings, config);
  try {
    io.run();
  } catch (const std::exception& e) {
    // Sessions and answers have nets of their own; what gets here is begun anew by systemd.
    log::error("a mistake of ours ends the uplink: {}", e.what());
    return exit_failed;
  }
  return 0;
}

/// The token comes from a file or standard input, never as an argument: arguments are public.
Result<std::string> read_token(const std::string& path) {
  constexpr std::size_t bytes_max = 4096;
  std::string text(bytes_max, '\0');
  std::ifstream file;
  if (path != "-") file.open(path);
  std::istream& in = path == "-" ? std::cin : file;
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad() || (path != "-" && !file.is_open())) {
    return fail(ErrorCode::bad_input, path + ": the token cannot be read");
  }
  text.resize(static_cast<std::size_t>(in.gcount()));
  return text;
}

int enroll(const uplink::Settings& settings, const std::string& token_file) {
  auto token = read_token(token_file);
  auto done =
      token ? uplink::enroll(settings, *token, SystemClock{}) : Result<void>(fail(token.error()));
  if (!done) {
    std::cerr << "firebreak-uplink: " << done.error().message << '\n';
    return exit_failed;
  }
  const uplink::StateFiles files(settings.state_dir);
  std::cerr << settings.agent << " is enrolled. The coordinator's public reset key is in "
            << files.reset_key_file()
            << ";\nto let it reset the milder causes, install that file as root where guard.yaml's "
               "grant_key points.\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  ::umask(077);
  std::signal(SIGPIPE, SIG_IGN);
  CLI::App app{"firebreak-uplink: carries readings and events to the coordinator, and stops back"};
  std::string config;
  std::string token_file;
  bool check_config = false;
  app.set_version_flag("--version", "firebreak-uplink " FIREBREAK_VERSION);
  app.add_option("--config", config, "uplink.yaml");
  app.add_flag("--check-config", check_config, "Check the configuration and exit");
  CLI::App* enrol = app.add_subcommand("enroll", "Get this agent's certificate with a token");
  enrol->add_option("--config", config, "uplink.yaml");
  enrol->add_option("--token-file", token_file, "File with the token, or - for standard input")
      ->required();
  app.require_subcommand(0, 1);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : exit_usage;
  }
  log::init("firebreak-uplink");
  if (config.empty()) {
    std::cerr << "firebreak-uplink: --config FILE is missing\n";
    return exit_usage;
  }
  auto settings = uplink::load_settings(config);
  if (!settings) {
    std::cerr << settings.error().message << '\n';
    return exit_usage;
  }
  if (check_config) return 0;
  return enrol->parsed() ? enroll(*settings, token_file) : run(*settings, config);
}
