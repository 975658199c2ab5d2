#include "agent/guard/config/config_files.h"

#include <cstdlib>
#include <system_error>
#include <vector>

#include "common/config/resources.h"

namespace firebreak::guard {
namespace {

namespace fs = std::filesystem;

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

/// "a, b and c" of the embedded files of this kind, without their ending.
std::string shipped_names(std::string_view kind) {
  const std::string prefix = "boards/" + std::string(kind) + "/";
  std::string names;
  for (const auto& file : config::resources()) {
    if (!file.name.starts_with(prefix) || !file.name.ends_with(".yaml")) continue;
    const auto name = file.name.substr(prefix.size(), file.name.size() - prefix.size() - 5);
    names += (names.empty() ? "" : ", ") + std::string(name);
  }
  return names.empty() ? "none" : names;
}

}  // namespace

Result<ShippedFile> find_shipped(const fs::path& folder, std::string_view kind,
                                 const std::string& name) {
  const bool bare = name.find('/') == std::string::npos && !name.ends_with(".yaml");
  const std::string file = bare ? name + ".yaml" : name;
  const fs::path below = fs::path("boards") / kind;
  std::vector<fs::path> places{folder / file, folder / kind / file, folder / below / file};
  // "boards/hosts/sim.yaml" names the shipped file by its place in the repository.
  const auto prefix = below.string() + "/";
  const std::string short_file = file.starts_with(prefix) ? file.substr(prefix.size()) : file;
  const bool may_be_shipped = short_file.find('/') == std::string::npos;
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing here changes the environment.
  const char* boards = std::getenv("FIREBREAK_BOARDS");
  if (may_be_shipped && boards != nullptr) places.push_back(fs::path(boards) / kind / short_file);
  for (const auto& place : places) {
    if (is_file(place)) return ShippedFile{place, {}};
  }
  if (may_be_shipped) {
    const auto embedded = (below / short_file).string();
    if (const auto text = config::resource(embedded)) return ShippedFile{embedded, *text};
    const auto installed = fs::path("/usr/share/firebreak") / below / short_file;
    if (is_file(installed)) return ShippedFile{installed, {}};
  }
  return fail(ErrorCode::not_found,
              "there is no file " + places.front().string() +
                  ", and nothing of that name is shipped (shipped: " + shipped_names(kind) + ")");
}

Result<std::string_view> embedded_schema(std::string_view schema) {
  const auto text = config::resource("schemas/" + std::string(schema));
  if (!text) {
    return fail(ErrorCode::internal, "this build has no " + std::string(schema) + "; rebuild it");
  }
  return *text;
}

Result<config::Document> load_shipped(const ShippedFile& file, std::string_view schema) {
  const auto text = embedded_schema(schema);
  if (!text) return fail(text.error());
  if (file.embedded.empty()) return config::load_yaml(file.path, *text);
  return config::parse_yaml(file.embedded, file.path.string() + " (built in)", *text);
}

}  // namespace firebreak::guard
