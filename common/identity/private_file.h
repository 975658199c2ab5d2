#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace firebreak::identity {

/// Replaces a file by `content`, mode 0600, in one step that a crash cannot halve: written beside
/// it, synced, renamed, the folder synced. Errors: unavailable.
Result<void> write_private_file(const std::string& path, std::string_view content);

/// Reads a whole small file. Errors: not_found; bad_input (longer than `bytes_max`, not a plain
/// file); unavailable.
Result<std::string> read_private_file(const std::string& path, std::size_t bytes_max);

/// Whether somebody else than the owner may read or write the file: then its key is no secret.
bool open_to_others(const std::string& path);

}  // namespace firebreak::identity
