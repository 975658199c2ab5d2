#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"

namespace firebreak::coordinator {

/// A request's target in its one normal form.
struct Target {
  std::string path;   ///< Decoded; begins with `/`; no empty, `.` or `..` segment.
  std::string query;  ///< As sent, escapes checked, without `?`.
};

/// Brings an origin-form target to its normal form, or says (bad_input) why no handler should see
/// it: another form, a fragment, a broken escape, an escape that decodes to a byte which is not
/// safe in a path (`/`, `%`, controls, anything beyond ASCII), a dot segment, a doubled slash.
Result<Target> normalise_target(std::string_view target);

}  // namespace firebreak::coordinator
