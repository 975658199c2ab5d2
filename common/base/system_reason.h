#pragma once

#include <string>
#include <system_error>

namespace firebreak {

/// What the system calls the error number `error` (an errno): "No such file or directory". Any
/// thread may call it, which std::strerror does not promise.
inline std::string system_reason(int error) { return std::generic_category().message(error); }

}  // namespace firebreak
