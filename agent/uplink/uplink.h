#pragma once

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <memory>
#include <string>

#include "agent/uplink/command_gate.h"
#include "agent/uplink/coordinator_link.h"
#include "agent/uplink/diagnosis/diagnosis.h"
#include "agent/uplink/errands.h"
#include "agent/uplink/event_pump.h"
#include "agent/uplink/guard_client.h"
#include "agent/uplink/nonces.h"
#include "agent/uplink/settings.h"
#include "agent/uplink/state_files.h"
#include "agent/uplink/stop_runner.h"
#include "common/base/clock.h"
#include "common/identity/time_floor.h"

namespace firebreak::uplink {

/// The network half of an agent: keeps the session to the coordinator, carries readings and events
/// there and stops and grants back. It decides nothing about safety, and with it gone every printer
/// is exactly as safe as before.
///
/// One thread, the io_context's; no call blocks on a network or on the guard.
class Uplink : public std::enable_shared_from_this<Uplink> {
 public:
  /// Rhythms, shortened by tests.
  struct Rhythm {
    std::chrono::milliseconds telemetry = wire::telemetry_interval;
    std::chrono::milliseconds silence_max = wire::beat_interval * wire::beats_missed_max;
    std::chrono::milliseconds housekeeping = std::chrono::hours{1};
  };

  /// `clock` must outlive the uplink.
  static std::shared_ptr<Uplink> create(asio::io_context& io, const Clock& clock, Settings settings,
                                        Rhythm rhythm);

  /// Loads the identity and begins. Errors: not_found (not enrolled), corrupt, not_allowed.
  Result<void> start();
  /// Ends the session in order; the io_context then runs out of work.
  void stop();

  [[nodiscard]] bool is_up() const { return link_ && link_->is_up(); }
  [[nodiscard]] bool resumed() const { return link_ && link_->resumed(); }

 private:
  Uplink(asio::io_context& io, const Clock& clock, Settings settings, Rhythm rhythm);

  Result<std::shared_ptr<tls::Context>> make_tls(const Identity& own);
  LinkHandlers link_handlers();
  wire::Hello hello() const;
  void on_up(const wire::Welcome& welcome);
  void on_down(const std::string& reason, bool was_up);
  Result<void> on_message(const std::string& type, nlohmann::json message);
  void on_command(const wire::Command& command);
  void carry(const wire::Command& command, nlohmann::json question);
  void run_errand(const wire::Command& command);
  Result<Errands::Work> errand_of(const wire::Command& command);
  HostView host_view() const;
  void refuse(const wire::Command& command, const std::string& reason);
  void poll();
  void arm_poll();
  void on_status(Result<nlohmann::json> status);
  nlohmann::json telemetry();
  void record(std::string_view kind, std::string_view severity, const std::string& text,
              nlohmann::json data);
  void housekeeping();
  void take_roots(const std::string& pem);
  bool wants_renewal() const;
  void renew();
  Result<void> on_renewed(const nlohmann::json& message);

  asio::io_context& io_;
  const Clock& clock_;
  const Settings settings_;
  const Rhythm rhythm_;
  StateFiles files_;
  identity::TimeFloor time_;
  Memory memory_;
  Identity own_;
  const std::string instance_;
  Nonces nonces_;
  CommandGate gate_;
  std::shared_ptr<GuardClient> readings_;  ///< status, challenge, grant, event, durable
  std::shared_ptr<GuardClient> events_;    ///< events, which the guard may hold for seconds
  std::shared_ptr<GuardClient> stops_;     ///< stop, and nothing else
  std::shared_ptr<EventPump> pump_;
  std::shared_ptr<StopRunner> runner_;
  std::shared_ptr<CoordinatorLink> link_;
  Errands errands_;
  asio::steady_timer poll_timer_;
  asio::steady_timer house_timer_;
  nlohmann::json status_;    ///< The newest, with our own part; null before the first.
  bool status_new_ = false;  ///< Not sent yet.
  std::string guard_boot_;
  std::string guard_problem_;  ///< Empty while the guard answers.
  std::string new_key_pem_;    ///< Of a renewal that is under way.
  std::uint64_t telemetry_seq_ = 0;
  int polls_ = 0;  ///< Since the last telemetry, while a stop is followed.
  MonotonicTime records_since_{};
  int records_ = 0;
  bool stopped_ = false;
};

}  // namespace firebreak::uplink
