#include "coordinator/api/openapi.h"

#include <span>

#include "common/config/resources.h"

namespace firebreak::coordinator {

/// Made by the build from openapi.json.
std::span<const config::Resource> openapi_files() noexcept;

std::string_view openapi_text() {
  const auto files = openapi_files();
  return files.empty() ? std::string_view() : files.front().text;
}

}  // namespace firebreak::coordinator
