#pragma once

#include <chrono>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "coordinator/cli/api.h"

namespace firebreak::cli {

/// Waits for the answer to an inquiry of the coordinator (openapi.json, Inquiry): its "answer", or
/// why there is none. `waited` is called about twice a second.
Outcome<nlohmann::json> await_inquiry(Api& api, const std::string& id,
                                      const std::function<void(std::chrono::seconds)>& waited);

}  // namespace firebreak::cli
