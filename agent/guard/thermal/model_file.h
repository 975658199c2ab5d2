#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "agent/guard/core/shared.h"
#include "agent/guard/thermal/heater_model.h"
#include "common/base/result.h"

namespace firebreak::guard::thermal {

/// The learned models of one printer, by heater name.
using ModelSet = std::map<std::string, HeaterModel>;

/// Where a model comes from, to know whether it still belongs to the machine.
struct ModelOrigin {
  std::string by;                    ///< "commissioning" or "approval"; of a proposal "prints".
  std::int64_t learned_wall_ms = 0;  ///< Since 1970, as the clock said; for people.
  double watts = 0;                  ///< Of the profile at that time; 0 = not known.
  double mass_grams = 0;
  PidValues controller;    ///< As the firmware told them; NaN = it did not.
  std::string asks_again;  ///< Why the heater should be commissioned again; empty while it is good.
};
struct StoredModel {
  HeaterModel model;
  ModelOrigin origin;
};
using StoredModels = std::map<std::string, StoredModel>;

/// The form in the state folder: {"version":1,"heaters":{"hotend":{"rise_kelvin_per_s":…}},
/// "about":{"hotend":{"by":…}},"digest":"…"}, each number under its name in HeaterModel. `about`
/// and `digest` (SHA-256 of the rest, compact) may be missing; a digest that does not match is an
/// error. Strict on the way in: a missing, unknown or impossible number is an error that names it.
/// Never throws.
[[nodiscard]] nlohmann::json to_json(const ModelSet& models);
[[nodiscard]] Result<ModelSet> models_from_json(const nlohmann::json& document);

[[nodiscard]] nlohmann::json to_json(const StoredModels& models);
[[nodiscard]] Result<StoredModels> stored_models_from_json(const nlohmann::json& document);

/// Blocks on the disk; at most 64 KiB are read.
[[nodiscard]] Result<ModelSet> read_models(const std::filesystem::path& file);
/// Written beside, synced and renamed, so that a cut of the power leaves the old or the new one.
[[nodiscard]] Result<void> write_models(const std::filesystem::path& file, const ModelSet& models);
/// The same with their origins.
[[nodiscard]] Result<StoredModels> read_stored_models(const std::filesystem::path& file);
[[nodiscard]] Result<void> write_models(const std::filesystem::path& file,
                                        const StoredModels& models);

}  // namespace firebreak::guard::thermal
