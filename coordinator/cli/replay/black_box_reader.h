#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "coordinator/cli/replay/trace.h"

namespace firebreak::cli::replay {

/// Which part of a black box is meant.
struct BlackBoxChoice {
  std::string printer;  ///< May be empty where the box holds one printer only.
  int boots_back = 0;   ///< 0: since the host's last boot; 1: the boot before …
};

/// Whether `file` is a guard's state folder, its samples.db or its blackbox.db.
[[nodiscard]] bool is_black_box(const std::filesystem::path& file);

/// The ring of samples of a guard's black box: a temperature of each heater each second. Opens it
/// for reading only; the guard may be running. A second without a fresh reading gives no row, so
/// that it is silence. Part fan and flow are not kept there, and unknown. `notes` gets what a
/// person should know (heaters that are left out). not_found and bad_input name what there is to
/// choose.
[[nodiscard]] Result<Trace> read_black_box(const std::filesystem::path& file,
                                           const BlackBoxChoice& choice,
                                           std::vector<std::string>& notes);

}  // namespace firebreak::cli::replay
