#pragma once

#include <asio.hpp>
#include <atomic>
#include <list>
#include <map>
#include <memory>

#include "common/tls/tls_connection.h"
#include "coordinator/front_door/front_door.h"
#include "coordinator/front_door/worker_pool.h"

namespace firebreak::coordinator {

class DoorConnection;

/// What connections share. All on the io_context's one thread, but the counters and wake().
struct FrontDoor::Core : std::enable_shared_from_this<FrontDoor::Core> {
  Core(asio::io_context& io_context, RequestHandler& request_handler, FrontDoorOptions given);

  void accept();
  void admit(asio::ip::tcp::socket socket);
  void remove(DoorConnection* connection);
  void wake();
  void wake_all();
  void close_all();

  asio::io_context& io;
  RequestHandler& handler;
  const FrontDoorOptions options;
  asio::ip::tcp::acceptor acceptor;
  asio::steady_timer retry;
  std::shared_ptr<tls::Context> context;
  std::list<std::shared_ptr<DoorConnection>> connections;  ///< Oldest first.
  std::map<std::string, std::size_t> per_address;
  std::atomic<std::size_t> connection_count{0};
  std::atomic<std::size_t> stream_count{0};
  std::atomic<bool> waking{false};
  std::uint16_t port = 0;
  bool stopping = false;
  /// Last, so that its threads end before what they use.
  std::unique_ptr<WorkerPool> pool;

 private:
  bool make_room(const std::string& address);
  bool evict(const std::string& only_address);
};

}  // namespace firebreak::coordinator
