#include <sys/ioctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "coordinator/cli/run.h"

namespace {

std::optional<std::string> environment(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): one thread.
  if (value == nullptr || *value == '\0') return std::nullopt;
  return std::string(value);
}

firebreak::cli::ConsoleOptions console_options() {
  firebreak::cli::ConsoleOptions options;
  options.out_is_terminal = isatty(STDOUT_FILENO) == 1;
  options.err_is_terminal = isatty(STDERR_FILENO) == 1;
  options.colour = !environment("NO_COLOR") && environment("TERM").value_or("dumb") != "dumb";
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    options.columns = size.ws_col;
  }
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  // A reader that goes away (`firebreak events | head`) is an error on write, not a death.
  std::signal(SIGPIPE, SIG_IGN);
  std::ios::sync_with_stdio(false);
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  return firebreak::cli::run(arguments, std::cin, std::cout, std::cerr, environment,
                             console_options());
}
