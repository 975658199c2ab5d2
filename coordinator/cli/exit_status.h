#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

#include "common/base/result.h"

namespace firebreak::cli {

/// What the shell sees; the numbers are part of the interface (docs/cli.md) and never change.
enum class ExitStatus : int {
  done = 0,
  failed = 1,
  usage = 2,        ///< The command line, a configuration or a request is wrong.
  partly = 3,       ///< Some printers did, some did not; stderr says which.
  not_allowed = 4,  ///< No token, a wrong one, or one without the right.
  not_found = 5,
  refused = 6,          ///< An interlock or a state forbids it now.
  outcome_unknown = 7,  ///< Sent, not confirmed.
  check_says_no = 8,    ///< The check ran, and its answer is no.
  interrupted = 130,    ///< By Ctrl-C (128 + SIGINT).
};

/// Why a command ended otherwise than done: the status, the sentence, and the next thing to type.
struct Failure {
  ExitStatus status = ExitStatus::failed;
  std::string message;
  std::string next;  ///< A command line, or what to do by hand. Never empty when it is printed.
};

template <class T>
using Outcome = tl::expected<T, Failure>;

inline tl::unexpected<Failure> give_up(ExitStatus status, std::string message, std::string next) {
  return tl::unexpected<Failure>(Failure{status, std::move(message), std::move(next)});
}
inline tl::unexpected<Failure> give_up(Failure failure) {
  return tl::unexpected<Failure>(std::move(failure));
}

/// The status for a code of the guard's socket ("refused", "not_found", …).
ExitStatus status_of_guard_code(std::string_view code);

/// The status for a coordinator's HTTP answer and its problem `code` (may be empty).
/// `changes` is whether the request was meant to change something: then a gateway's timeout means
/// that nobody knows whether it did.
ExitStatus status_of_http(long http_status, std::string_view code, bool changes);

/// How many printers ended how, over one stop.
struct StopTally {
  int proven = 0;
  int sent = 0;
  int not_sent = 0;
  int unanswered = 0;     ///< The stop was accepted, but nobody has said how it ended.
  int unknown_names = 0;  ///< Asked for, but no such printer.
};

/// done only when every printer asked for is stopped and proven; partly when some are;
/// outcome_unknown when bytes went out (or may have) but none is proven; not_found when no name was
/// known.
ExitStatus status_of_stop(const StopTally& tally);

}  // namespace firebreak::cli
