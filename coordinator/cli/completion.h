#pragma once

#include <string>
#include <vector>

#include "coordinator/cli/context.h"

namespace CLI {
class App;
}

namespace firebreak::cli {

/// What can follow: `words` are those after "firebreak", the last one (may be empty) is being
/// typed. Commands, options, and printer names where a printer is expected (asked of the guard on
/// this host and of the coordinator, at most a second; without an answer there are none).
std::vector<std::string> completions(CLI::App& app, const std::vector<std::string>& words,
                                     const std::function<std::vector<std::string>()>& printers);

/// Names of the printers that are known from here.
std::vector<std::string> printer_names(const Context& context);

/// The script for `shell` (bash, zsh, fish): each asks `firebreak __complete`, so that there is one
/// tree of commands. Empty for another shell.
std::string completion_script(const std::string& shell);

}  // namespace firebreak::cli
