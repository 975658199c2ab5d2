#pragma once

#include "agent/guard/config/guard_config.h"
#include "agent/guard/config/problems.h"
#include "common/config/config.h"

namespace firebreak::guard {

/// Turns a validated board document into a board and adds what no schema can say to `problems`.
/// Relative paths in it count from `folder`.
BoardConfig read_board(const config::Document& document, const std::filesystem::path& folder,
                       Problems& problems);

/// Checks the board against the printers: names that refer to nothing, heaters that nobody has,
/// relays that no printer uses. What is allowed and yet should be known goes to `config.warnings`.
void check_wiring(const config::Document& guard, const config::Document& board, GuardConfig& config,
                  Problems& problems);

}  // namespace firebreak::guard
