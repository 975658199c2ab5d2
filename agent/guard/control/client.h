#pragma once

#include <deque>
#include <string>

#include "agent/guard/control/dispatch.h"
#include "agent/guard/control/service.h"
#include "common/base/clock.h"

namespace firebreak::guard {

/// Requests of one client that wait for their turn. More are left in the kernel's buffer.
inline constexpr std::size_t control_queue_max = 16;
/// A line that is not finished, or an answer that is not taken, after this time ends the client.
inline constexpr std::chrono::seconds control_patience{5};

/// One connection: bytes in, requests in order, answers out in the same order. Owns the
/// descriptor. Control thread only.
class Client {
 public:
  Client(int fd, Peer peer, MonotonicTime now) : fd_(fd), peer_(std::move(peer)), active_(now) {}
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client();

  /// Takes what the kernel has and cuts it into requests, as far as the queue has room.
  void receive(MonotonicTime now);
  /// Hands finished answers, first come first out, to the kernel; never waits.
  void send(MonotonicTime now);
  /// Ends a client that dribbles, does not read, or has nothing left to say.
  void expire(MonotonicTime now);
  /// Sends `answer` (a line without feed) after what is pending and reads nothing more.
  void finish_with(std::string answer);

  [[nodiscard]] int fd() const noexcept { return fd_; }
  [[nodiscard]] const Peer& peer() const noexcept { return peer_; }
  [[nodiscard]] bool closed() const noexcept { return closed_; }
  [[nodiscard]] bool wants_input() const noexcept {
    return !no_more_input_ && queue_.size() < control_queue_max;
  }
  [[nodiscard]] bool has_output() const noexcept { return !out_.empty(); }
  /// When `expire` has something to do, or MonotonicTime::max().
  [[nodiscard]] MonotonicTime deadline() const noexcept;
  /// The time of its last byte in either direction, for choosing whom to close for a newcomer.
  [[nodiscard]] MonotonicTime last_active() const noexcept { return active_; }
  [[nodiscard]] bool idle() const noexcept { return queue_.empty() && out_.empty(); }

  /// The printer whose line this connection is from now on, its answer being sent; else empty.
  [[nodiscard]] const std::string& serves() const noexcept { return serves_; }
  /// Gives the descriptor away and is closed.
  [[nodiscard]] int release() noexcept;

  /// Arrived requests, oldest first; the server performs them in place.
  std::deque<Request>& queue() noexcept { return queue_; }
  /// The oldest request without an answer, or null: only this one may be performed now (except a
  /// stop, which goes before everything).
  Request* next();
  /// Whether an `events` may wait: nothing is queued behind it and the client still listens.
  [[nodiscard]] bool may_wait() const noexcept { return queue_.size() == 1 && !no_more_input_; }

 private:
  void cut_lines(MonotonicTime now);
  void take_answers(MonotonicTime now);

  int fd_;
  const Peer peer_;
  std::string in_;
  std::string out_;
  std::string serves_;
  std::deque<Request> queue_;
  MonotonicTime active_;
  MonotonicTime line_started_ = MonotonicTime::max();    ///< First byte of an unfinished line.
  MonotonicTime output_started_ = MonotonicTime::max();  ///< The kernel refused bytes since.
  bool no_more_input_ = false;
  bool closed_ = false;
};

}  // namespace firebreak::guard
