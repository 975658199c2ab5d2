#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "agent/guard/blackbox/black_box.h"
#include "agent/guard/commission/commissioner.h"
#include "agent/guard/control/service.h"
#include "agent/guard/core/guard_core.h"
#include "agent/guard/grant/challenge_book.h"
#include "agent/guard/process/reset_check.h"
#include "agent/guard/process/slot_writer.h"

namespace firebreak::guard {

/// What the control sockets can do to the running guard. It never touches a machine's memory: it
/// checks what a person may ask, posts it to the estop thread, and waits a moment for the result.
/// Control thread only.
class GuardServiceImpl final : public GuardService {
 public:
  GuardServiceImpl(GuardCore& core, BlackBox& box, SlotWriter& slots,
                   commission::Commissioner& commissioner, EventQueue& events, const Clock& clock,
                   std::optional<GrantKey> grant_key);

  /// What to call while a request waits for its effect, so that no stop waits behind it.
  void attend_stops_with(std::function<void()> attend) { attend_stops_ = std::move(attend); }

  /// Who takes a connection of the uplink: the link of the printer with this index. Before run.
  void serve_with(std::function<void(std::size_t printer, int fd)> serve) {
    serve_ = std::move(serve);
  }

  nlohmann::json status() override;
  Result<void> stop(const StopRequest& request, const Peer& peer) override;
  Result<void> reset(const ResetRequest& request, const Peer& peer) override;
  Result<void> release(const std::string& printer, const Peer& peer) override;
  Result<void> confirm(const std::string& printer, const Peer& peer) override;
  Result<void> arm(const std::string& printer, const Peer& peer) override;
  Result<void> watch(const std::string& printer, int hours, const Peer& peer) override;
  Result<nlohmann::json> commission(const std::string& printer, const std::string& step,
                                    const Peer& peer) override;
  Result<nlohmann::json> models(const std::string& printer) override;
  Result<void> approve_model(const std::string& printer, const std::string& heater,
                             const Peer& peer) override;
  Result<void> restart(const Peer& peer) override;
  Result<void> silence(const Peer& peer) override;
  Result<void> unpark(const Peer& peer) override;
  Result<nlohmann::json> events(const std::string& log, std::uint64_t after, int limit) override;
  Result<void> mark_durable(const std::string& log, std::uint64_t sequence) override;
  Result<nlohmann::json> challenge(const std::string& printer, const Peer& peer) override;
  Result<void> grant(const GrantAnswer& answer, const Peer& peer) override;
  Result<void> may_serve(const std::string& printer, const std::string& kind) override;
  void serve(const std::string& printer, int fd) override;
  Result<void> add_event(const nlohmann::json& event, const Peer& peer) override;
  Result<void> forget_restarts(const Peer& peer) override;

 private:
  Result<PrinterRuntime*> find(const std::string& name);
  Result<void> reset_host(const ResetRequest& request, const Peer& peer);
  Result<void> reset_group(PrinterRuntime& printer, const ResetClaim& claim, const Peer& peer,
                           const std::string& reason);
  Result<nlohmann::json> begin_heat_up(PrinterRuntime& printer, const Peer& peer);
  /// Posts `bits` to a printer and waits until it is in `wanted`, at most half a second.
  Result<void> post(PrinterRuntime& printer, std::uint32_t bits, machine::State wanted,
                    const std::string& what);
  void record(EventKind kind, const PrinterRuntime* printer, const Peer& peer,
              const std::string& sentence);

  GuardCore& core_;
  BlackBox& box_;
  SlotWriter& slots_;
  commission::Commissioner& commissioner_;
  EventQueue& events_;
  const Clock& clock_;
  ChallengeBook grants_;
  std::function<void()> attend_stops_ = [] {};
  std::function<void(std::size_t, int)> serve_;
};

}  // namespace firebreak::guard
