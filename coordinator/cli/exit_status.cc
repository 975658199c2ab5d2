#include "coordinator/cli/exit_status.h"

namespace firebreak::cli {

ExitStatus status_of_guard_code(std::string_view code) {
  if (code == "refused") return ExitStatus::refused;
  if (code == "not_found") return ExitStatus::not_found;
  if (code == "not_allowed") return ExitStatus::not_allowed;
  if (code == "bad_request") return ExitStatus::usage;
  return ExitStatus::failed;
}

ExitStatus status_of_http(long http_status, std::string_view code, bool changes) {
  if (code == "interlock" || code == "stale_latch") return ExitStatus::refused;
  if (code == "ambiguous") return ExitStatus::usage;
  switch (http_status) {
    case 400:
    case 413:
    case 414:
    case 415:
    case 422: return ExitStatus::usage;
    case 401:
    case 403: return ExitStatus::not_allowed;
    case 404: return ExitStatus::not_found;
    case 409:
    case 412: return ExitStatus::refused;
    case 504: return changes ? ExitStatus::outcome_unknown : ExitStatus::failed;
    default: break;
  }
  return http_status >= 200 && http_status < 300 ? ExitStatus::done : ExitStatus::failed;
}

ExitStatus status_of_stop(const StopTally& tally) {
  const bool others =
      tally.sent > 0 || tally.not_sent > 0 || tally.unanswered > 0 || tally.unknown_names > 0;
  if (tally.proven > 0) return others ? ExitStatus::partly : ExitStatus::done;
  if (tally.sent > 0 || tally.unanswered > 0) return ExitStatus::outcome_unknown;
  if (tally.not_sent > 0) return ExitStatus::failed;
  return ExitStatus::not_found;
}

}  // namespace firebreak::cli
