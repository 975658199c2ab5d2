#pragma once

#include <asio/ts/netfwd.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "common/base/result.h"
#include "common/tls/tls_context.h"
#include "coordinator/front_door/handler.h"

namespace firebreak::coordinator {

/// Bounds of the front door.
struct FrontDoorOptions {
  std::string listen = "127.0.0.1";
  std::uint16_t port = 0;  ///< 0: the kernel chooses.
  /// Connections at once; a newcomer beyond it takes the place of the oldest one that has not
  /// shown a valid token. About 60 kB each.
  std::size_t connections_max = 512;
  /// Beyond connections_max, when all of them have shown a token: room for stops alone.
  std::size_t reserved_for_stops = 32;
  std::size_t connections_per_address = 64;
  std::size_t streams_max = 128;
  std::size_t workers = 4;
  std::size_t waiting_max = 256;
  std::size_t requests_per_connection = 200;
  std::chrono::milliseconds handshake{5'000};
  std::chrono::milliseconds head{5'000};    ///< From the connection, or a head's first byte.
  std::chrono::milliseconds body{15'000};   ///< From the end of the head.
  std::chrono::milliseconds idle{30'000};   ///< Between two requests.
  std::chrono::milliseconds write{20'000};  ///< Until a client has taken an answer, or a chunk.
  std::chrono::milliseconds heartbeat{15'000};
};

/// People's HTTP: owns every socket and every byte until a request is whole, checked and bounded,
/// and again from the answer on. A slow client holds a socket and its deadline, never a thread.
/// Threads: start, stop and wake_streams from any; the rest runs on the io_context, which must be
/// run by exactly one thread.
class FrontDoor {
 public:
  struct Core;  ///< What its connections share; only this folder sees inside.

  /// Both must outlive the front door.
  FrontDoor(asio::io_context& io, RequestHandler& handler, FrontDoorOptions options);
  /// stop() was called and the io_context does not run any more.
  ~FrontDoor();
  FrontDoor(const FrontDoor&) = delete;
  FrontDoor& operator=(const FrontDoor&) = delete;

  /// Listens. Errors: bad_input (the address), unavailable (the port is taken).
  Result<void> start(std::shared_ptr<tls::Context> context);
  /// Closes the listener and every connection.
  void stop();
  /// Waits for the workers; requests that wait are dropped. After the io_context has ended.
  void end_workers();
  [[nodiscard]] std::uint16_t port() const;

  /// Streams have news. Cheap; calls are folded together.
  void wake_streams();

  [[nodiscard]] std::size_t connections() const;
  [[nodiscard]] std::size_t streams() const;

 private:
  std::shared_ptr<Core> core_;
};

}  // namespace firebreak::coordinator
