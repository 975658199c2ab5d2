#pragma once

#include <string_view>

namespace firebreak::coordinator {

/// coordinator/api/openapi.json, as it was when the program was built.
std::string_view openapi_text();

}  // namespace firebreak::coordinator
