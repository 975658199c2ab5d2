#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>
#include <vector>

#include "common/config/config.h"

namespace firebreak::config {

/// Says for people why `value` is not valid under `schema` (draft 7 as our schemas use it): what is
/// wrong, what is allowed, and what was probably meant. valijson decides whether it is valid; this
/// only explains, and may find nothing for keywords that it does not know. Module-private.
[[nodiscard]] std::vector<Problem> explain(const nlohmann::json& schema,
                                           const nlohmann::json& value);

/// "printers[0].port" for "/printers/0/port"; "the file" for "".
[[nodiscard]] std::string people_path(std::string_view pointer);

}  // namespace firebreak::config
