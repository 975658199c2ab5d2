#include "common/config/resources.h"

namespace firebreak::config {

std::optional<std::string_view> resource(std::string_view name) noexcept {
  for (const Resource& file : resources()) {
    if (file.name == name) return file.text;
  }
  return std::nullopt;
}

}  // namespace firebreak::config
