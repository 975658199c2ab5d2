#pragma once

#include <string>
#include <vector>

#include "coordinator/cli/context.h"
#include "coordinator/cli/local.h"

namespace firebreak::cli {

/// The verbs that ask the coordinator.

/// `status [--printer NAME]`; with `check`, status 8 unless every printer shown needs no attention.
Done fleet_status(Context& context, const std::string& printer, bool check);
/// `fleet`: agents and printers.
Done fleet_overview(Context& context);
Done fleet_agents(Context& context);
Done fleet_events(Context& context, const EventsQuery& query);

/// `stop`: never asks; when the coordinator does not answer, or does not reach this host's own
/// agent, it stops what a guard on this host holds, and says of all else that it was not sent.
Done fleet_stop(Context& context, const StopOrder& order);

/// `reset` and `release`, by the coordinator's signed grant.
struct GrantOrder {
  bool release = false;
  std::string printer;
  std::int64_t latch_number = -1;
  std::string reason;
  std::chrono::seconds wait{15};
};
Done fleet_grant(Context& context, const GrantOrder& order);

struct LoginOrder {
  std::string server;
  std::string ca_file;
  std::string fingerprint;
  std::string token_file;  ///< "-": standard input; empty: asked for without echo.
};
Done login(Context& context, const LoginOrder& order);

Done make_enrolment(Context& context, const std::string& agent, int minutes);
Done revoke_agent(Context& context, const std::string& agent);
Done approve_agent(Context& context, const std::string& agent);
Done verify_audit(Context& context);

struct TokenOrder {
  std::string name;
  std::vector<std::string> scopes;
  std::string kind = "person";
  std::string expires;
};
Done create_token(Context& context, const TokenOrder& order);
Done list_tokens(Context& context);
Done revoke_token(Context& context, const std::string& id);

/// `version`: of this program, and of the coordinator where one is known and answers.
Done show_version(Context& context);

}  // namespace firebreak::cli
