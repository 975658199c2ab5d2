#pragma once

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "agent/uplink/backoff.h"
#include "common/tls/tls_connection.h"
#include "common/wire/frame.h"
#include "common/wire/messages.h"

namespace firebreak::uplink {

/// Where to dial and in what rhythm.
struct LinkOptions {
  std::string host;
  std::uint16_t port = 0;
  std::chrono::milliseconds reconnect_min{1'000};
  std::chrono::milliseconds reconnect_max{60'000};
  /// Name lookup and TCP connect, together.
  std::chrono::milliseconds connect_deadline{10'000};
  /// From TLS up to the welcome.
  std::chrono::milliseconds welcome_deadline{15'000};
  /// Nothing heard for this long: the session is dead, whatever TCP says.
  std::chrono::milliseconds silence_max = wire::beat_interval * wire::beats_missed_max;
  /// A session that held for this long makes the back-off begin anew.
  std::chrono::milliseconds settled{10'000};
};

/// What the link asks of and tells its owner, on the io_context's thread, never from inside a call
/// that the owner makes.
struct LinkHandlers {
  std::function<wire::Hello()> hello;
  /// The coordinator has welcomed us: only now is the session up.
  std::function<void(const wire::Welcome&)> up;
  /// It was up and is no more, or an attempt failed; the link dials again by itself.
  std::function<void(const std::string& reason, bool was_up)> down;
  /// Any other message. An error ends the session.
  std::function<Result<void>(const std::string& type, nlohmann::json message)> message;
  /// Asked when the line is free: the newest telemetry as a message, or null when there is none.
  std::function<nlohmann::json()> telemetry;
};

/// Keeps one session to the coordinator: dials with jittered back-off, resumes TLS by ticket, says
/// hello, watches the heartbeat, and sends in the order answers, telemetry, everything else.
///
/// Memory is bounded by its queues: a coordinator that does not read loses the session, and nobody
/// waits for it. One thread: the io_context's.
class CoordinatorLink : public std::enable_shared_from_this<CoordinatorLink> {
 public:
  static std::shared_ptr<CoordinatorLink> create(asio::io_context& io, LinkOptions options,
                                                 std::shared_ptr<tls::Context> tls,
                                                 LinkHandlers handlers);
  void start();
  void stop();  ///< Says goodbye and dials no more; `handlers` are let go.

  /// From the next dial on; `redial` ends the present session for it.
  void use(std::shared_ptr<tls::Context> tls, bool redial);

  [[nodiscard]] bool is_up() const { return state_ == State::up; }
  /// What was agreed in this session's handshake; for telemetry and tests.
  [[nodiscard]] bool resumed() const { return connection_ && connection_->resumed(); }

  /// An answer to a command: before everything else that waits. Dropped when the session is not up.
  void send_answer(const nlohmann::json& message);
  /// In its turn. Dropped when the session is not up.
  void send(const nlohmann::json& message);
  /// There is a new telemetry to be asked for.
  void wake() { pump(); }

 private:
  enum class State { idle, dialling, greeting, up, stopped };

  /// Answers and other messages that wait, each; the coordinator asks for far fewer at a time.
  static constexpr std::size_t waiting_max = 256;

  CoordinatorLink(asio::io_context& io, LinkOptions options, std::shared_ptr<tls::Context> tls,
                  LinkHandlers handlers);
  void dial();
  void on_resolved(std::error_code code, const asio::ip::tcp::resolver::results_type& endpoints);
  void on_connected(std::error_code code);
  void on_opened();
  void on_received(std::string_view bytes);
  Result<void> on_frame(std::string_view bytes);
  Result<void> on_welcome(const nlohmann::json& message);
  void fail_session(std::string reason);
  void lost(const std::string& reason);
  void pause_then_dial();
  void arm(std::chrono::milliseconds within, const char* what);
  void watch_silence();
  void enqueue(std::deque<std::string>& queue, const nlohmann::json& message);
  void pump();

  asio::io_context& io_;
  const LinkOptions options_;
  std::shared_ptr<tls::Context> tls_;
  LinkHandlers handlers_;
  asio::ip::tcp::resolver resolver_;
  asio::ip::tcp::socket socket_;
  asio::steady_timer timer_;
  std::shared_ptr<tls::Connection> connection_;
  wire::FrameReader reader_;
  Backoff backoff_;
  State state_ = State::idle;
  std::uint64_t attempt_ = 0;  ///< Completions of an earlier attempt are told apart by it.
  bool redial_at_once_ = false;
  std::chrono::steady_clock::time_point heard_{};
  std::chrono::steady_clock::time_point up_since_{};
  std::deque<std::string> answers_;
  std::deque<std::string> messages_;
};

}  // namespace firebreak::uplink
