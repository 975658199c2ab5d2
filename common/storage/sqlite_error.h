#pragma once

#include "common/base/result.h"

struct sqlite3;

namespace firebreak::storage {

/// What an SQLite result code means to us, with the connection's own words. Module-private.
[[nodiscard]] Error sqlite_error(sqlite3* db, int code);

/// True for a write, sync or truncation that the disk refused, after which nobody knows what of it
/// is on the disk.
[[nodiscard]] bool is_lost_write(int extended_code) noexcept;

}  // namespace firebreak::storage
