#pragma once

#include <functional>
#include <istream>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "coordinator/cli/console.h"

namespace firebreak::cli {

/// Runs `firebreak` with `arguments` (without the program's name) and returns its exit status. All
/// that the outside can do to it comes in here: streams, environment, what the terminal is. Never
/// throws.
int run(const std::vector<std::string>& arguments, std::istream& in, std::ostream& out,
        std::ostream& err, const std::function<std::optional<std::string>(const char*)>& env,
        const ConsoleOptions& options);

}  // namespace firebreak::cli
