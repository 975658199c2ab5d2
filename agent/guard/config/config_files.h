#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/config/config.h"

namespace firebreak::guard {

/// Where a board or a profile that a configuration names was found.
struct ShippedFile {
  std::filesystem::path path;  ///< The file; for an embedded one its name in the repository.
  std::string_view embedded;   ///< Its text when it is built in, else empty.
};

/// Finds what `name` means in a file of `folder`: the file of that path; `<name>.yaml` in it or in
/// `<folder>/<kind>`; then the shipped ones: $FIREBREAK_BOARDS/<kind>, the embedded boards/<kind>,
/// /usr/share/firebreak/boards/<kind>. `kind` is "hosts" or "printers". The error lists the shipped
/// names.
Result<ShippedFile> find_shipped(const std::filesystem::path& folder, std::string_view kind,
                                 const std::string& name);

/// Reads and validates what find_shipped() found against the embedded schema `schemas/<schema>`.
Result<config::Document> load_shipped(const ShippedFile& file, std::string_view schema);

/// The text of an embedded schema; an internal error when the build has lost it.
Result<std::string_view> embedded_schema(std::string_view schema);

}  // namespace firebreak::guard
