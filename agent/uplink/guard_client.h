#pragma once

#include <array>
#include <asio/io_context.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "common/base/result.h"

namespace firebreak::uplink {

/// One connection to the guard's uplink socket: JSON lines, one question at a time, answers in
/// order. Connects when there is something to ask, and again after a loss. The uplink has three
/// (readings, events, stops), so that a slow answer on one never stands before a stop.
///
/// Threads: the io_context's. Never blocks: connecting to a unix socket completes at once or fails.
class GuardClient : public std::enable_shared_from_this<GuardClient> {
 public:
  /// Longest line from the guard; 500 events of 500 bytes are 250 kB.
  static constexpr std::size_t line_bytes_max = 1u << 20;
  /// Questions that wait; one more is answered with "busy" at once.
  static constexpr std::size_t waiting_max = 64;

  static std::shared_ptr<GuardClient> create(asio::io_context& io, std::string path);

  /// Asks and calls `answer` exactly once (never from inside this call): the guard's object, also
  /// one with "ok":false; or an error: unavailable (no guard, no answer within `timeout`, counted
  /// from when it is this question's turn), corrupt (not an answer; the connection is dropped).
  using Answer = std::function<void(Result<nlohmann::json>)>;
  void ask(const nlohmann::json& question, std::chrono::milliseconds timeout, Answer answer);

  /// Drops the connection; every open question is answered with unavailable.
  void close();

 private:
  struct Question {
    std::string line;
    std::chrono::milliseconds timeout;
    Answer answer;
  };

  GuardClient(asio::io_context& io, std::string path);
  void next();
  bool connect();
  void send();
  void read();
  void on_read(std::error_code code, std::size_t size);
  void finish(Result<nlohmann::json> result);
  void lose(std::string reason, ErrorCode kind = ErrorCode::unavailable);

  asio::io_context& io_;
  const std::string path_;
  asio::local::stream_protocol::socket socket_;
  asio::steady_timer timer_;
  std::deque<Question> waiting_;
  bool asking_ = false;
  bool scheduled_ = false;
  std::uint64_t turn_ =
      0;  ///< Rises with every question and loss: late completions are told apart.
  std::uint64_t connection_ = 0;  ///< Rises with every loss, for the same reason.
  std::string in_;
  std::array<char, 16384> chunk_{};
};

}  // namespace firebreak::uplink
