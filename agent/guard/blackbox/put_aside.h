#pragma once

#include <filesystem>
#include <string>

#include "common/base/result.h"

namespace firebreak::guard {

/// Damaged databases of one name that are kept for people to look at; older ones go.
inline constexpr int corrupt_files_kept = 3;

/// Renames a damaged database and its write-ahead log out of the way: blackbox.db becomes
/// blackbox.corrupt-1.db (2, 3, …). Every connection must be closed. Returns the new name.
/// unavailable: the disk does not let us; try again later. A missing file is not_found.
[[nodiscard]] Result<std::filesystem::path> put_aside(const std::filesystem::path& database);

}  // namespace firebreak::guard
