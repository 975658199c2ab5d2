#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "agent/guard/config/guard_config.h"
#include "agent/guard/machine/machine.h"
#include "agent/guard/process/guard_process.h"
#include "agent/guard/process/open_plain_relays.h"
#include "common/log/log.h"

namespace {

constexpr int status_usage = 2;

constexpr std::string_view usage =
    "usage: firebreak-guard --config FILE [--check-config | --open-plain-relays]\n"
    "       firebreak-guard --print-table\n"
    "\n"
    "The safety process of one printer host: stop buttons, relays, thermal monitors, watchdogs.\n"
    "  --config FILE    guard.yaml (docs/configuration.md)\n"
    "  --check-config   reads the configuration, says what is wrong, and ends\n"
    "  --open-plain-relays  for ExecStopPost=: opens what cannot open by itself, unless\n"
    "                   $SERVICE_RESULT is success\n"
    "  --print-table    prints the table that decides, and ends\n";

int say_usage() {
  std::fputs(usage.data(), stderr);
  return status_usage;
}

}  // namespace

int main(int argc, char** argv) {
  std::string config_file;
  bool check_only = false;
  bool open_relays = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--help" || argument == "-h") {
      std::fputs(usage.data(), stdout);
      return 0;
    }
    if (argument == "--print-table") {
      std::fputs(firebreak::guard::machine::print(firebreak::guard::machine::table()).c_str(),
                 stdout);
      return 0;
    }
    if (argument == "--check-config") {
      check_only = true;
    } else if (argument == "--open-plain-relays") {
      open_relays = true;
    } else if (argument == "--config" && i + 1 < argc) {
      config_file = argv[++i];
    } else {
      return say_usage();
    }
  }
  if (config_file.empty()) return say_usage();
  firebreak::log::init("firebreak-guard");
  auto config = firebreak::guard::load_guard_config(config_file);
  if (!config) {
    std::fprintf(stderr, "%s\n", config.error().message.c_str());
    return status_usage;
  }
  if (check_only) {
    std::fprintf(stdout, "%s: good; %zu printer(s)\n", config_file.c_str(),
                 config->printers.size());
    return 0;
  }
  if (open_relays) {
    const char* result = std::getenv("SERVICE_RESULT");
    const auto done = firebreak::guard::open_plain_relays(*config, result == nullptr ? "" : result);
    if (!done) std::fprintf(stderr, "%s\n", done.error().message.c_str());
    return done ? 0 : 1;
  }
  return firebreak::guard::run_guard(std::move(*config));
}
