#pragma once

#include <sqlite3.h>

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "tests/unit/common/crash_disk.h"

namespace firebreak::testing {

struct CrashDisk::Vfs {
  sqlite3_vfs vfs{};
};

}  // namespace firebreak::testing
