#include <sys/stat.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>

#include "coordinator/app/app.h"
#include "coordinator/app/roll_authority.h"

namespace {

using firebreak::coordinator::App;
using firebreak::coordinator::load_settings;

constexpr const char* usage =
    "usage: firebreak-coordinator --config coordinator.yaml [--check-config]\n"
    "       firebreak-coordinator --config coordinator.yaml --roll-ca prepare|switch|forget\n"
    "       firebreak-coordinator --help | --version\n";

struct Arguments {
  std::string config;
  std::string roll;  ///< A step of docs/protocol.md, "A new authority".
  bool check = false;
  int exit_now = -1;
};

Arguments read_arguments(int count, char** values) {
  Arguments out;
  for (int i = 1; i < count; ++i) {
    const std::string_view word = values[i];
    if (word == "--config" && i + 1 < count) {
      out.config = values[++i];
    } else if (word == "--roll-ca" && i + 1 < count) {
      out.roll = values[++i];
    } else if (word == "--check-config") {
      out.check = true;
    } else if (word == "--help") {
      std::fputs(usage, stdout);
      out.exit_now = 0;
      return out;
    } else if (word == "--version") {
      std::puts("firebreak-coordinator " FIREBREAK_VERSION);
      out.exit_now = 0;
      return out;
    } else {
      std::fprintf(stderr, "%s: not understood\n%s", values[i], usage);
      out.exit_now = 2;
      return out;
    }
  }
  if (out.config.empty()) {
    std::fputs(usage, stderr);
    out.exit_now = 2;
  }
  return out;
}

int roll(const firebreak::coordinator::Settings& settings, const std::string& step) {
  ::umask(077);
  const firebreak::SystemClock clock;
  const auto done = firebreak::coordinator::roll_authority(settings.state_dir, step, clock.wall());
  std::fprintf(done ? stdout : stderr, "%s\n", done ? done->c_str() : done.error().message.c_str());
  return done ? 0 : 1;
}

/// Waits for signals until one ends the process; SIGHUP reads the configuration again.
void serve(App& app, const std::string& config, const sigset_t& signals) {
  namespace log = firebreak::log;
  while (true) {
    int signal = 0;
    if (sigwait(&signals, &signal) != 0) continue;
    if (signal != SIGHUP) {
      log::info("ends, by {}", strsignal(signal));
      return;
    }
    auto settings = load_settings(config);
    if (settings) {
      app.reload(*settings);
    } else {
      log::error("configuration: the new one is refused, the running one stays: {}",
                 settings.error().message);
    }
  }
}

}  // namespace

int main(int count, char** values) {
  const Arguments arguments = read_arguments(count, values);
  if (arguments.exit_now >= 0) return arguments.exit_now;
  auto settings = load_settings(arguments.config);
  if (!settings) {
    std::fprintf(stderr, "%s\n", settings.error().message.c_str());
    return 2;
  }
  if (arguments.check) {
    std::printf("%s: ok\n", arguments.config.c_str());
    return 0;
  }
  if (!arguments.roll.empty()) return roll(*settings, arguments.roll);
  // Before any thread, so that all of them leave these signals to serve().
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  static firebreak::SystemClock clock;
  App app(clock);
  if (auto started = app.start(*settings); !started) {
    firebreak::log::error("cannot start: {}", started.error().message);
    return 1;
  }
  serve(app, arguments.config, signals);
  app.stop();
  return 0;
}
