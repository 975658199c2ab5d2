#pragma once

#include <filesystem>
#include <string>

namespace firebreak::guard {

/// Another process that has the device behind `path` open: "name (pid 4711)", or empty. Reads
/// /proc; processes of other users are only seen with the right to do so. Takes milliseconds: not
/// for the stop thread.
std::string find_port_holder(const std::filesystem::path& path);

}  // namespace firebreak::guard
