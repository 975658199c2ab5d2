#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace firebreak {

/// What kind of failure an Error is, so that a caller can choose a reaction (an exit status, an
/// HTTP status) without reading its text.
enum class ErrorCode {
  bad_input,    ///< The caller's data is wrong; repeating it will fail again.
  not_found,    ///< The named thing does not exist.
  not_allowed,  ///< The caller lacks the right.
  refused,      ///< An interlock or a state forbids it now.
  unavailable,  ///< A device, disk or peer does not answer; trying later may help.
  corrupt,      ///< Stored data does not verify.
  internal,     ///< A mistake of ours.
};

/// A failure as a value: its kind, and one message that says what happened, where, and what to do
/// now. Never carries a secret.
struct Error {
  ErrorCode code = ErrorCode::internal;
  std::string message;

  /// The same failure seen from further out: "`context`: message".
  [[nodiscard]] Error within(std::string_view context) const {
    return {code, std::string(context) + ": " + message};
  }
};

/// Either a T or an Error. No function of this project throws across its module.
template <class T>
using Result = tl::expected<T, Error>;

/// Shorthand for returning a failure: `return fail(ErrorCode::bad_input, "…");`.
inline tl::unexpected<Error> fail(ErrorCode code, std::string message) {
  return tl::unexpected<Error>(Error{code, std::move(message)});
}
inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }

}  // namespace firebreak
