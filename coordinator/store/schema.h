#pragma once

#include <span>

#include "common/storage/database.h"

namespace firebreak::coordinator {

/// The steps that bring a coordinator's database to what this program expects.
std::span<const storage::Migration> coordinator_migrations();

}  // namespace firebreak::coordinator
