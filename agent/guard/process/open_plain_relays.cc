#include "agent/guard/process/open_plain_relays.h"

#include "agent/guard/hardware/sim_board.h"

namespace firebreak::guard {

Result<void> open_plain_relays(const GuardConfig& config, std::string_view service_result) {
  if (service_result == "success") return {};
  auto board = SimBoard::connect(config.board.socket);
  if (!board) return fail(board.error());
  for (const auto& relay : config.board.relays) {
    if (relay.heartbeat) continue;
    if (auto claimed = (*board)->claim_output(relay.line, false); !claimed) {
      return fail(claimed.error().within("relay " + relay.name));
    }
  }
  return {};
}

}  // namespace firebreak::guard
