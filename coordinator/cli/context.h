#pragma once

#include <chrono>
#include <functional>
#include <istream>
#include <optional>
#include <string>

#include "coordinator/cli/console.h"
#include "coordinator/cli/exit_status.h"

namespace firebreak::cli {

/// What every command is given from outside, so that a test can own it. One thread.
struct Context {
  Console& console;
  std::istream& in;
  /// The environment; nothing else in this program reads it.
  std::function<std::optional<std::string>(const char*)> env;
  std::string socket;  ///< --socket, or empty.
  std::string server;  ///< --server, or empty.
  std::string config;  ///< --config, or empty: a folder.

  [[nodiscard]] std::string guard_socket() const;
  /// Who asks, for the record: "$USER on this host". The guard and the coordinator know better and
  /// record what the kernel and the token say beside it.
  [[nodiscard]] std::string who() const;
};

/// What every command returns.
using Done = Outcome<ExitStatus>;

}  // namespace firebreak::cli
