#pragma once

#include <asio.hpp>
#include <list>
#include <memory>
#include <string>

#include "common/tls/tls_connection.h"
#include "coordinator/front_door/door_core.h"
#include "coordinator/front_door/request_parser.h"

namespace firebreak::coordinator {

/// One client's connection: reads a request, has it answered on a worker, writes the answer, and
/// begins again; or serves a stream until its end. On the io_context's one thread.
class DoorConnection : public std::enable_shared_from_this<DoorConnection> {
 public:
  /// `stop_only`: there was no room; only a stop is served.
  DoorConnection(FrontDoor::Core& core, std::string address, bool stop_only);

  void start(asio::ip::tcp::socket socket, std::shared_ptr<tls::Context> context);
  /// Drops the connection now and takes it off the list.
  void abort(const std::string& why);
  /// A stream may have news.
  void wake();

  /// No valid token was shown yet, and no request is being answered.
  [[nodiscard]] bool evictable() const;
  [[nodiscard]] const std::string& address() const { return address_; }

  std::list<std::shared_ptr<DoorConnection>>::iterator place;  ///< In the core's list.

 private:
  /// Runs a step of this connection; what it throws ends the connection.
  template <class Step>
  void guarded(Step step) {
    try {
      step();
    } catch (const std::exception& e) {
      fail_by_mistake(e.what());
    }
  }
  void fail_by_mistake(const std::string& what);
  /// Runs `make` on a worker and `take(result)` back here; false when too many requests wait.
  template <class Make, class Take>
  bool on_worker(Make make, Take take, bool stop);

  enum class Phase { handshake, reading, working, writing, streaming, closed };

  void on_received(std::string_view bytes);
  void on_drained();
  void read_on();
  void dispatch();
  void refuse(const Refusal& refusal);
  void on_answer(std::shared_ptr<Answer> answer);
  void send_answer(Answer answer);
  void write_some();
  void finish_answer();
  void begin_stream();
  void pull();
  void on_chunk(StreamChunk chunk);
  void set_deadline(std::chrono::milliseconds within, const char* what);
  void on_deadline();
  void arm_heartbeat();
  void send_heartbeat();
  void close_softly();
  void leave();

  FrontDoor::Core& core_;
  const std::string address_;
  const bool stop_only_;
  std::shared_ptr<tls::Connection> tls_;
  asio::steady_timer deadline_;
  asio::steady_timer pause_;
  Phase phase_ = Phase::handshake;
  const char* deadline_for_ = "";
  bool in_body_ = false;
  bool authenticated_ = false;
  std::size_t requests_ = 0;
  RequestParser parser_;
  std::string inbox_;  ///< Bytes of the next request that came early.
  std::string outbox_;
  std::size_t written_ = 0;
  bool close_after_ = false;

  std::shared_ptr<StreamSource> stream_;
  bool counted_stream_ = false;
  bool pulling_ = false;
  bool news_ = false;
  bool stream_ended_ = false;
};

}  // namespace firebreak::coordinator
