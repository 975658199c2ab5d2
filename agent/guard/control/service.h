#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "common/base/result.h"

namespace firebreak::guard {

/// Who is at the other end of a control connection, from the kernel (SO_PEERCRED, SO_PEERGROUPS)
/// and from which of the two sockets it came.
struct Peer {
  std::uint32_t uid = 0;
  int pid = 0;
  bool uplink = false;     ///< Came through the uplink's socket: may stop, read, answer grants.
  bool operate = false;    ///< Member of the operator group, root or the guard's own user.
  bool may_reset = false;  ///< Member of the reset group (never the uplink).
  std::string name;        ///< "uid 1000 (pid 4711)" for the log.
};

struct StopRequest {
  std::vector<std::string> printers;  ///< Empty together with all = false is refused.
  bool all = false;
  bool by_coordinator = false;
  std::string who;
};

struct ResetRequest {
  std::string printer;  ///< Exactly one of printer, all, host.
  bool all = false;
  bool host = false;
  std::uint32_t latch_number = 0;
  std::string reason;
  double measured_celsius = -1000;  ///< A person's own measurement; below -273 = none.
};

struct GrantAnswer {
  std::string printer;
  std::string action;  ///< "reset", "release" or "reset_release".
  std::string challenge_hex;
  std::string signature_hex;
  std::string who;
};

/// Everything that the control sockets can ask of the guard. Called on the control thread only;
/// each call is bounded and none waits for a printer. Errors carry the sentence for the person.
class GuardService {
 public:
  virtual ~GuardService() = default;
  virtual nlohmann::json status() = 0;
  /// Raises the stop and returns at once; the outcome shows in status().
  virtual Result<void> stop(const StopRequest& request, const Peer& peer) = 0;
  virtual Result<void> reset(const ResetRequest& request, const Peer& peer) = 0;
  virtual Result<void> release(const std::string& printer, const Peer& peer) = 0;
  /// A person at the machine sees that it stays cold: probation after a hardware cause goes on.
  virtual Result<void> confirm(const std::string& printer, const Peer& peer) = 0;
  virtual Result<void> arm(const std::string& printer, const Peer& peer) = 0;
  virtual Result<void> watch(const std::string& printer, int hours, const Peer& peer) = 0;
  /// `step`: empty for the checks; "begin", "look", "confirm" and "cancel" for the heat-up.
  virtual Result<nlohmann::json> commission(const std::string& printer, const std::string& step,
                                            const Peer& peer) = 0;
  /// Learned and proposed models; of all printers when `printer` is empty.
  virtual Result<nlohmann::json> models(const std::string& printer) = 0;
  /// Takes what ordinary prints proposed; of every heater when `heater` is empty.
  virtual Result<void> approve_model(const std::string& printer, const std::string& heater,
                                     const Peer& peer) = 0;
  virtual Result<void> restart(const Peer& peer) = 0;
  virtual Result<void> silence(const Peer& peer) = 0;
  virtual Result<void> unpark(const Peer& peer) = 0;
  virtual Result<nlohmann::json> events(const std::string& log, std::uint64_t after, int limit) = 0;
  virtual Result<void> mark_durable(const std::string& log, std::uint64_t sequence) = 0;
  virtual Result<nlohmann::json> challenge(const std::string& printer, const Peer& peer) = 0;
  virtual Result<void> grant(const GrantAnswer& answer, const Peer& peer) = 0;
  /// Whether the uplink may serve this network printer, which it takes for one of `kind`.
  virtual Result<void> may_serve(const std::string& printer, const std::string& kind) = 0;
  /// Gives the connection `fd` to the link of a printer that may_serve() allowed.
  virtual void serve(const std::string& printer, int fd) = 0;
  virtual Result<void> add_event(const nlohmann::json& event, const Peer& peer) = 0;
  /// Board `sim` only: forgets the restarts that count towards parking (for the kill harness).
  virtual Result<void> forget_restarts(const Peer& peer) = 0;
};

}  // namespace firebreak::guard
