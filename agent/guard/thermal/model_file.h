#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "agent/guard/thermal/heater_model.h"
#include "common/base/result.h"

namespace firebreak::guard::thermal {

/// The learned models of one printer, by heater name.
using ModelSet = std::map<std::string, HeaterModel>;

/// The form in the state folder: {"version":1,"heaters":{"hotend":{"rise_kelvin_per_s":…}}}, each
/// number under its name in HeaterModel. Strict on the way in: a missing, unknown or impossible
/// number is an error that names it. Never throws.
[[nodiscard]] nlohmann::json to_json(const ModelSet& models);
[[nodiscard]] Result<ModelSet> models_from_json(const nlohmann::json& document);

/// Blocks on the disk; at most 64 KiB are read.
[[nodiscard]] Result<ModelSet> read_models(const std::filesystem::path& file);
/// Written beside, synced and renamed, so that a cut of the power leaves the old or the new one.
[[nodiscard]] Result<void> write_models(const std::filesystem::path& file, const ModelSet& models);

}  // namespace firebreak::guard::thermal
