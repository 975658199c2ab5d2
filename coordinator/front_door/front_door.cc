#include "coordinator/front_door/front_door.h"

#include "common/log/log.h"
#include "coordinator/front_door/door_connection.h"
#include "coordinator/front_door/door_core.h"

namespace firebreak::coordinator {

FrontDoor::Core::Core(asio::io_context& io_context, RequestHandler& request_handler,
                      FrontDoorOptions given)
    : io(io_context),
      handler(request_handler),
      options(std::move(given)),
      acceptor(io_context),
      retry(io_context),
      pool(std::make_unique<WorkerPool>(options.workers, options.waiting_max)) {}

void FrontDoor::Core::accept() {
  acceptor.async_accept(
      [self = shared_from_this()](const std::error_code& error, asio::ip::tcp::socket socket) {
        if (self->stopping) return;
        if (!error) {
          try {
            self->admit(std::move(socket));
          } catch (const std::exception& e) {
            log::error("front door: a connection is dropped: {}", e.what());
          }
          return self->accept();
        }
        // Out of descriptors or memory: a moment's rest, or this would spin.
        log::warning("front door: a connection could not be taken: {}", error.message());
        self->retry.expires_after(std::chrono::milliseconds{100});
        self->retry.async_wait([self](const std::error_code& ended) {
          if (!ended && !self->stopping) self->accept();
        });
      });
}

bool FrontDoor::Core::evict(const std::string& only_address) {
  for (const auto& connection : connections) {
    if (!connection->evictable()) continue;
    if (!only_address.empty() && connection->address() != only_address) continue;
    const auto kept = connection;  // remove() takes it off the list.
    kept->abort("another connection needs the room");
    return true;
  }
  return false;
}

bool FrontDoor::Core::make_room(const std::string& address) {
  const auto here = per_address.find(address);
  const std::size_t of_address = here == per_address.end() ? 0 : here->second;
  if (of_address >= options.connections_per_address && evict(address)) return true;
  if (of_address < options.connections_per_address &&
      (connections.size() < options.connections_max || evict({})))
    return true;
  return false;
}

void FrontDoor::Core::admit(asio::ip::tcp::socket socket) {
  std::error_code error;
  const auto peer = socket.remote_endpoint(error);
  if (error) return;
  const std::string address = peer.address().to_string();
  const bool room = make_room(address);
  if (!room && connections.size() >= options.connections_max + options.reserved_for_stops) return;
  auto connection = std::make_shared<DoorConnection>(*this, address, !room);
  connections.push_back(connection);
  connection->place = std::prev(connections.end());
  ++per_address[address];
  connection_count = connections.size();
  connection->start(std::move(socket), context);
}

void FrontDoor::Core::remove(DoorConnection* connection) {
  const auto at = per_address.find(connection->address());
  if (at != per_address.end() && --at->second == 0) per_address.erase(at);
  connections.erase(connection->place);
  connection_count = connections.size();
}

void FrontDoor::Core::wake() {
  if (waking.exchange(true)) return;
  asio::post(io, [self = shared_from_this()] {
    self->waking = false;
    self->wake_all();
  });
}

void FrontDoor::Core::wake_all() {
  for (const auto& connection : connections) connection->wake();
}

void FrontDoor::Core::close_all() {
  stopping = true;
  std::error_code ignored;
  acceptor.close(ignored);
  retry.cancel();
  while (!connections.empty()) {
    const auto kept = connections.front();
    kept->abort("the coordinator ends");
  }
}

FrontDoor::FrontDoor(asio::io_context& io, RequestHandler& handler, FrontDoorOptions options)
    : core_(std::make_shared<Core>(io, handler, std::move(options))) {}

FrontDoor::~FrontDoor() { end_workers(); }

void FrontDoor::end_workers() { core_->pool.reset(); }

Result<void> FrontDoor::start(std::shared_ptr<tls::Context> context) {
  std::error_code error;
  const auto address = asio::ip::make_address(core_->options.listen, error);
  if (error)
    return fail(ErrorCode::bad_input, "http.listen: " + core_->options.listen + " is no address");
  const asio::ip::tcp::endpoint endpoint(address, core_->options.port);
  auto& acceptor = core_->acceptor;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(1024, error);
  if (error)
    return fail(ErrorCode::unavailable, "cannot listen for HTTP on " + core_->options.listen +
                                            " port " + std::to_string(core_->options.port) + ": " +
                                            error.message() + "; is another coordinator running?");
  core_->port = acceptor.local_endpoint(error).port();
  core_->context = std::move(context);
  asio::post(core_->io, [core = core_] { core->accept(); });
  return {};
}

void FrontDoor::stop() {
  asio::post(core_->io, [core = core_] { core->close_all(); });
}

std::uint16_t FrontDoor::port() const { return core_->port; }
void FrontDoor::wake_streams() { core_->wake(); }
std::size_t FrontDoor::connections() const { return core_->connection_count; }
std::size_t FrontDoor::streams() const { return core_->stream_count; }

}  // namespace firebreak::coordinator
