#pragma once

#include <asio/ts/netfwd.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/tls/tls_context.h"
#include "coordinator/hub/ports.h"

namespace firebreak::identity {
class Authority;
class TimeFloor;
}  // namespace firebreak::identity

namespace firebreak::coordinator {

/// How long a stop is offered to an agent that is away, unless the coordinator's setting says
/// otherwise: long enough for a host's restart, too short to surprise who has come since.
inline constexpr std::chrono::seconds stop_retry_default{600};

/// How long an approved renewal may take: the agent asks again at least once a minute.
inline constexpr std::chrono::minutes approval_life{15};

/// Whom a stop is for.
struct StopTarget {
  std::string agent;
  std::vector<std::string> printers;  ///< Empty: all of the agent's.
};

/// What a person allowed, to be carried to the guard as a signed grant.
struct GrantRequest {
  std::string operation;
  std::string agent;
  std::string printer;
  std::string action;              ///< "reset" | "release" | "reset_release"
  std::uint64_t latch_number = 0;  ///< The latch that the person saw; another one is refused.
  std::string who;
};

struct HubOptions {
  std::string listen = "127.0.0.1";
  std::uint16_t port = 0;  ///< 0: the kernel chooses; see Hub::port().
  tls::Credentials credentials;
  /// Signs a grant message with the coordinator's Ed25519 reset key. Called on the hub's strand.
  std::function<Result<std::array<std::uint8_t, 64>>(std::span<const std::uint8_t>)> sign_grant;
  /// The public half of that key, handed out at enrolment.
  std::array<std::uint8_t, 32> reset_public_key{};
  /// Roots that agents shall trust, PEM, the present authority's first: while it is being rolled
  /// the next or the old one stands beside it. Empty: the present one's alone.
  std::string roots_pem;
  std::size_t sessions_max = 4096;
  /// Connections that are not a session yet, at once. A handshake costs 5 ms of the strand that
  /// also carries stops: 32 of them are at most 160 ms. More wait in the kernel's backlog.
  std::size_t newcomers_max = 32;
  std::chrono::milliseconds beat = std::chrono::seconds{5};  ///< Three silent ones end a session.
  std::chrono::milliseconds stop_resend = std::chrono::seconds{2};  ///< To a connected agent.
};

/// The agent side of the coordinator: accepts agents over mutual TLS, stores what they report
/// through the ports, and carries stops and commands to them.
///
/// A stop overtakes everything: it is written to every connected session before any other queued
/// frame of that session, and never waits for a disk. Threads: every function may be called from
/// any thread; calls into FleetView come on the hub's strand, into the other ports on its worker.
class Hub {
 public:
  /// All references must outlive the hub.
  struct Ports {
    AgentRegistry& registry;
    EventSink& events;
    FleetView& fleet;
    const identity::Authority& authority;
    identity::TimeFloor& time;
    const Clock& clock;
  };

  Hub(asio::io_context& io, Ports ports, HubOptions options);
  /// stop() must have been called, and the io_context must not run the hub's work any more.
  ~Hub();
  Hub(const Hub&) = delete;
  Hub& operator=(const Hub&) = delete;

  /// Listens. Errors: bad_input (keys, address), unavailable (the port is taken).
  Result<void> start();
  /// Closes the listener and every session; returns at once, the io_context finishes the work.
  void stop();
  [[nodiscard]] std::uint16_t port() const;  ///< The port in use, after start().

  /// Sends a stop to each target now, and again to those that are away or silent until they
  /// answer or `within` has passed (then `gave_up`; docs/protocol.md, "Stop"). Answers arrive as
  /// FleetView::command_update.
  void send_stop(std::vector<StopTarget> targets, std::string operation, std::string who,
                 std::chrono::seconds within = stop_retry_default);

  /// Asks the agent's guard for a challenge, has it signed, and brings the grant. One attempt, no
  /// retry: an agent that is away answers at once with an error. Answer: command_update.
  void send_grant(GrantRequest request);

  /// Any other command, one attempt. `arguments` is a JSON object as text.
  void send_command(std::string agent, std::string operation, std::string verb,
                    std::string arguments, std::chrono::milliseconds ttl);

  /// The agent was revoked: its session ends now, and its open stops end unsent or unknown. (The
  /// registry refuses it from here on.)
  void cut_off(std::string agent, std::string reason);
  /// A person lets this agent renew the ended certificate that it showed, within `approval_life`.
  /// False when it does not wait for that.
  bool approve_renewal(const std::string& agent);
  /// Events up to these positions have become durable off this host: tell the agent.
  void tell_durable(std::string agent, LogPosition position);

  [[nodiscard]] std::vector<std::string> connected_agents() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace firebreak::coordinator
