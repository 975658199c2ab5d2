#pragma once

#include <chrono>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "coordinator/cli/api.h"

namespace firebreak::cli {

/// Follows one operation of the coordinator: `on_answer` gets each printer's newest answer (a
/// PrinterAnswer of the API) as it comes, and returns false when it has heard enough. Ends with the
/// operation, or after `wait`. `on_tick` is called about once a second with the time waited.
/// Falls back to asking when the stream of answers cannot be had.
Outcome<void> follow_operation(Api& api, const std::string& id, std::chrono::seconds wait,
                               const std::function<bool(const nlohmann::json&)>& on_answer,
                               const std::function<void(std::chrono::seconds)>& on_tick);

}  // namespace firebreak::cli
