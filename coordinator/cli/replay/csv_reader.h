#pragma once

#include <filesystem>
#include <string_view>

#include "common/base/result.h"
#include "coordinator/cli/replay/trace.h"

namespace firebreak::cli::replay {

/// Reads `t,heater,temp,target,duty,fan,flow` (docs/replay.md): the header names these seven
/// first, further columns are ignored. Nothing is guessed: the first rows that are malformed (at
/// most five) are told with file, line and what is wrong with them, and the file is not used.
[[nodiscard]] Result<Trace> parse_csv(std::string_view text, const std::string& name);

/// The bytes of a whole file; at most 4 GiB.
[[nodiscard]] Result<std::string> read_file(const std::filesystem::path& file);

}  // namespace firebreak::cli::replay
