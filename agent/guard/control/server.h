#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "agent/guard/control/listener.h"
#include "agent/guard/control/rights.h"
#include "agent/guard/control/service.h"
#include "common/base/clock.h"
#include "common/base/result.h"

namespace firebreak::guard {

class Client;

struct ControlPaths {
  std::filesystem::path operator_socket;  ///< <run_dir>/control.sock
  std::filesystem::path uplink_socket;    ///< <run_dir>/uplink.sock
};

/// The two unix sockets of the guard (docs/cli.md lists their verbs), on one thread with one poll
/// loop. Everything is bounded: clients, lines, queues, answers, and the time that a client may
/// dribble or not read. A stop goes before every other request that has arrived, whoever sent it.
/// It never gates the guard's pulses: when this thread fails, buttons and monitors still act.
class ControlServer {
 public:
  /// Clients of the operator's socket; the last slot is only for root and the guard's own user, so
  /// that a crowd of scripts cannot lock the machine's owner out.
  static constexpr std::size_t operator_clients_max = 16;
  /// Clients of the uplink's socket: one session, one probe, their successors after a crash, and
  /// connections that become a network printer's line.
  static constexpr std::size_t uplink_clients_max = 8;
  /// Longest sleep of `run`, so that the caller's heartbeat is never older than this.
  static constexpr std::chrono::milliseconds round_max{250};

  /// Opens both sockets (control.sock 0660 with the operator group, or 0600 without one;
  /// uplink.sock 0660 with the uplink's group where the kernel allows it). `service` and `clock`
  /// must outlive the server. Fails with a sentence when another guard answers on a socket.
  static Result<std::unique_ptr<ControlServer>> create(const ControlPaths& paths,
                                                       const ControlRights& rights,
                                                       GuardService& service, const Clock& clock);
  ~ControlServer();
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

  /// Serves until `stop` is true (call wake() after setting it). `beat` is called every round, at
  /// least every 250 ms, and is where the thread reports that it lives. No exception leaves.
  void run(const std::atomic<bool>& stop, const std::function<void()>& beat = {}) noexcept;

  /// One round: waits at most `wait_max` for something to do, performs every stop that has arrived
  /// and at most one other request. `run` is a loop around this; tests call it themselves.
  void step(std::chrono::milliseconds wait_max);

  /// Performs the stops that have arrived by now, and nothing else. For a GuardService whose other
  /// verbs watch for an effect (up to half a second): called while it waits, it keeps a stop from
  /// waiting behind them. Control thread only; never blocks; no exception leaves.
  void attend_stops() noexcept;

  /// Makes waiting `events` requests look again, and ends the current sleep. Any thread; never
  /// blocks.
  void wake() noexcept;

  [[nodiscard]] std::size_t clients() const noexcept { return clients_.size(); }

 private:
  ControlServer(Listener operators, Listener uplinks, int wake_fd, const ControlRights& rights,
                GuardService& service, const Clock& clock);

  void poll_and_receive(std::chrono::milliseconds wait_max);
  [[nodiscard]] std::chrono::milliseconds sleep_for(std::chrono::milliseconds wait_max) const;
  void accept_from(const Listener& listener, bool uplink);
  void admit(int fd, bool uplink);
  bool make_room(bool uplink, bool privileged);
  void perform_stops();
  void perform_one_other();
  void send_and_expire();

  // Constant after construction.
  const Listener operators_;
  const Listener uplinks_;
  const int wake_fd_;
  const ControlRights rights_;
  GuardService& service_;
  const Clock& clock_;
  // Control thread only.
  std::vector<std::unique_ptr<Client>> clients_;
  std::size_t turn_ = 0;     ///< Where the search for the next request starts: round robin.
  bool look_again_ = false;  ///< wake() was called since waiting requests last looked.
  std::uint64_t stops_ = 0;
};

}  // namespace firebreak::guard
