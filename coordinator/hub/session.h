#pragma once

#include <asio/steady_timer.hpp>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/tls/tls_connection.h"
#include "common/wire/frame.h"
#include "common/wire/messages.h"
#include "coordinator/hub/ports.h"

namespace firebreak::coordinator {

class HubCore;

/// One connection of an agent, from its first byte to its end. Everything runs on the hub's strand.
///
/// States: newcomer (TLS, then the first frame) → enrolling, or checking (the registry is asked) →
/// renewing (its certificate has ended) or up → over. A frame that does not belong to the state,
/// or does not parse, ends the session with nothing of it used.
class Session : public std::enable_shared_from_this<Session> {
 public:
  static std::shared_ptr<Session> start(std::shared_ptr<HubCore> core, tls::Socket socket);
  ~Session() = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// Ahead of everything that waits: a stop.
  void send_urgent(const nlohmann::json& message);
  /// After what waits already.
  void send(const nlohmann::json& message);
  /// Says goodbye with a reason and ends.
  void end(std::string_view code, std::string reason);
  void abort(std::string reason);

  /// Runs a step of this session; what it throws ends the session.
  template <class Step>
  void guarded(Step step) {
    try {
      step();
    } catch (const std::exception& e) {
      abort(std::string("a mistake of ours: ") + e.what());
    }
  }

  [[nodiscard]] bool is_up() const { return state_ == State::up; }
  [[nodiscard]] bool is_newcomer() const { return state_ == State::newcomer; }
  [[nodiscard]] const std::string& agent() const { return agent_; }
  /// What it showed; only after the TLS handshake, and where it has one.
  [[nodiscard]] identity::Fingerprint certificate() const {
    return connection_->peer()->fingerprint;
  }
  [[nodiscard]] const std::string& instance() const { return hello_.instance; }
  [[nodiscard]] std::string address() const { return connection_->peer_address(); }
  [[nodiscard]] const std::optional<wire::Nonce>& nonce() const { return nonce_; }
  [[nodiscard]] std::chrono::steady_clock::time_point began() const { return began_; }

 private:
  enum class State { newcomer, enrolling, checking, renewing, up, over };
  /// What the registry and the store say about an agent that comes.
  struct Admission {
    Result<Standing> standing = Standing::unknown;
    Result<std::vector<LogPosition>> positions;
    std::string head;
  };

  explicit Session(std::shared_ptr<HubCore> core);

  void on_opened();
  void on_received(std::string_view bytes);
  void on_closed(const Error& reason);
  bool on_frame(std::string_view bytes);
  Result<void> on_message(const std::string& type, nlohmann::json message);
  Result<void> on_enroll(const nlohmann::json& message);
  void on_enrolled(Result<identity::CertificateInfo> certificate);
  Result<void> on_hello(const nlohmann::json& message);
  void on_admission(Admission admission);
  void welcome(const Admission& admission);
  Result<void> on_telemetry(nlohmann::json message);
  Result<void> on_events(nlohmann::json message);
  void store_next();
  void on_stored(const Result<Receipt>& receipt);
  Result<void> on_result(const nlohmann::json& message);
  Result<void> on_renew(const nlohmann::json& message);
  void refuse(std::string_view kind, std::string_view code, std::string reason);
  void pump();
  void arm_beat();
  void on_beat();
  void arm_first_frame();

  /// Batches of events that wait for the store. An agent sends the next one after the receipt of
  /// the last; one that does not is at fault.
  static constexpr std::size_t batches_max = 4;
  /// Frames that wait for an agent that reads slowly, and their bytes.
  static constexpr std::size_t frames_max = 256;
  static constexpr std::size_t frames_bytes_max = 2u << 20;

  std::shared_ptr<HubCore> core_;
  asio::steady_timer timer_;
  std::shared_ptr<tls::Connection> connection_;
  State state_ = State::newcomer;
  std::string agent_;  ///< From the certificate, verified; empty without one.
  wire::Hello hello_;
  wire::FrameReader reader_;
  std::optional<wire::Nonce> nonce_;
  std::deque<std::string> frames_;
  std::size_t frames_bytes_ = 0;
  std::deque<wire::Events> batches_;
  bool storing_ = false;
  bool renewing_now_ = false;
  bool heard_ = true;
  int missed_ = 0;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

}  // namespace firebreak::coordinator
