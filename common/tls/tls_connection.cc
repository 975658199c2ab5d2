#include "common/tls/tls_connection.h"

#include <array>
#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <asio/write.hpp>

#include "common/tls/tls_engine.h"

namespace firebreak::tls {

using asio::ip::tcp;

struct Connection::Impl {
  Impl(Socket socket_in, std::shared_ptr<Context> context, ConnectionHandlers handlers_in,
       ConnectionLimits limits_in)
      : socket(std::move(socket_in)),
        deadline(socket.get_executor()),
        engine(std::move(context)),
        handlers(std::move(handlers_in)),
        limits(limits_in) {}

  tcp::socket socket;
  asio::steady_timer deadline;
  Engine engine;
  ConnectionHandlers handlers;
  ConnectionLimits limits;
  std::string address;
  std::string sending;          ///< With the kernel now; the engine's output is what comes next.
  std::optional<Error> ending;  ///< close() was called: the reason, once all has left.
  bool closed = false;
  bool paused = false;
  bool reading = false;  ///< A wait for the socket is under way.
  bool pumping = false;

  /// One entry from the event loop: what the owner's handlers throw ends this connection alone.
  template <class Step>
  static void guarded(const std::shared_ptr<Connection>& self, Step step) {
    try {
      step();
    } catch (const std::exception& e) {
      finish(self, {ErrorCode::internal, std::string("a mistake of ours: ") + e.what()});
    }
  }
  static void begin(const std::shared_ptr<Connection>& self);
  static void read(const std::shared_ptr<Connection>& self);
  static void on_readable(const std::shared_ptr<Connection>& self, std::error_code code);
  static void pump(const std::shared_ptr<Connection>& self);
  static void flush(const std::shared_ptr<Connection>& self);
  static void on_sent(const std::shared_ptr<Connection>& self, std::error_code code);
  static void linger(const std::shared_ptr<Connection>& self);
  static void finish(const std::shared_ptr<Connection>& self, Error reason);
};

Connection::Connection(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Connection::~Connection() = default;

std::shared_ptr<Connection> Connection::start(Socket socket, std::shared_ptr<Context> context,
                                              ConnectionHandlers handlers,
                                              ConnectionLimits limits) {
  auto impl =
      std::make_unique<Impl>(std::move(socket), std::move(context), std::move(handlers), limits);
  std::shared_ptr<Connection> self(new Connection(std::move(impl)));
  std::error_code ignored;
  const auto remote = self->impl_->socket.remote_endpoint(ignored);
  if (!ignored) {
    self->impl_->address = remote.address().to_string() + ":" + std::to_string(remote.port());
  }
  // Posted, so that no handler runs inside start(): the owner has its pointer by then.
  asio::post(self->impl_->socket.get_executor(),
             [self] { Impl::guarded(self, [&] { Impl::begin(self); }); });
  return self;
}

void Connection::Impl::begin(const std::shared_ptr<Connection>& self) {
  Impl& me = *self->impl_;
  if (me.closed) return;
  std::error_code code;
  me.socket.non_blocking(true, code);
  if (!code) me.socket.set_option(tcp::no_delay(true), code);
  if (code) return finish(self, {ErrorCode::unavailable, "socket: " + code.message()});
  me.deadline.expires_after(me.limits.handshake);
  me.deadline.async_wait([self](std::error_code stopped) {
    if (stopped || self->impl_->engine.is_open()) return;
    finish(self, {ErrorCode::unavailable, "no complete TLS handshake within its deadline"});
  });
  pump(self);
}

void Connection::Impl::read(const std::shared_ptr<Connection>& self) {
  Impl& me = *self->impl_;
  if (me.closed || me.reading || me.paused) return;
  me.reading = true;
  // Waiting owns no buffer: an idle connection costs none.
  me.socket.async_wait(tcp::socket::wait_read, [self](std::error_code code) {
    guarded(self, [&] { on_readable(self, code); });
  });
}

void Connection::Impl::on_readable(const std::shared_ptr<Connection>& self, std::error_code code) {
  Impl& me = *self->impl_;
  me.reading = false;
  if (me.closed || code == asio::error::operation_aborted) return;
  if (me.paused) return;
  static thread_local std::array<char, 16384> buffer;
  const std::size_t got = code ? 0 : me.socket.read_some(asio::buffer(buffer), code);
  if (code == asio::error::would_block || code == asio::error::try_again) return read(self);
  if (code && me.ending) return finish(self, *me.ending);
  if (code) {
    return finish(self, {ErrorCode::unavailable, code == asio::error::eof
                                                     ? "the peer cut the connection"
                                                     : "connection lost: " + code.message()});
  }
  if (me.ending) return read(self);
  me.engine.feed({buffer.data(), got});
  pump(self);
}

void Connection::Impl::pump(const std::shared_ptr<Connection>& self) {
  Impl& me = *self->impl_;
  std::string plain;
  // A handler may close or pause from inside: both are looked at after every step.
  while (!me.closed) {
    auto progress = me.engine.step(plain);
    flush(self);
    if (me.closed) return;
    if (!progress) {
      // What was queued (a TLS alert that names our reason) gets one try, without waiting.
      return finish(self, me.ending.value_or(progress.error()));
    }
    if (*progress == Engine::Progress::needs_input) break;
    if (*progress == Engine::Progress::opened) {
      me.deadline.cancel();
      if (me.handlers.opened) me.handlers.opened();
    } else if (!me.ending && me.handlers.received) {
      me.handlers.received(std::as_bytes(std::span(plain)));
    }
  }
  read(self);
}

void Connection::Impl::flush(const std::shared_ptr<Connection>& self) {
  Impl& me = *self->impl_;
  if (me.closed || !me.sending.empty() || me.engine.output_bytes() == 0) return;
  me.sending = me.engine.take_output();
  asio::async_write(me.socket, asio::buffer(me.sending), [self](std::error_code code, std::size_t) {
    guarded(self, [&] { on_sent(self, code); });
  });
}

void Connection::Impl::on_sent(const std::shared_ptr<Connection>& self, std::error_code code) {
  Impl& me = *self->impl_;
  if (me.closed) return;
  me.sending.clear();
  if (code) {
    return finish(self, me.ending.value_or(
                            Error{ErrorCode::unavailable, "connection lost: " + code.message()}));
  }
  flush(self);
  if (!me.sending.empty()) return;
  if (me.ending) return linger(self);
  if (me.engine.is_open() && me.handlers.drained) me.handlers.drained();
}

/// All has left. A socket that is closed with bytes unread in it resets the connection, and the
/// reset may overtake our last words: the peer ends it, or the deadline of close() does.
void Connection::Impl::linger(const std::shared_ptr<Connection>& self) {
  std::error_code ignored;
  self->impl_->socket.shutdown(tcp::socket::shutdown_send, ignored);
  self->impl_->paused = false;
  read(self);
}

void Connection::Impl::finish(const std::shared_ptr<Connection>& self, Error reason) {
  Impl& me = *self->impl_;
  if (me.closed) return;
  me.closed = true;
  me.deadline.cancel();
  std::error_code ignored;
  me.socket.close(ignored);
  // Posted: `closed` must not run inside a call that the owner made (write, abort).
  asio::post(me.socket.get_executor(), [self, reason = std::move(reason)] {
    ConnectionHandlers handlers = std::exchange(self->impl_->handlers, {});
    if (handlers.closed) handlers.closed(reason);
  });
}

Result<void> Connection::write(std::string_view bytes) {
  Impl& me = *impl_;
  if (me.closed || me.ending || !me.engine.is_open()) {
    return fail(ErrorCode::unavailable, "the connection is not open");
  }
  if (pending_bytes() + bytes.size() > me.limits.outgoing_bytes) {
    Error reason{ErrorCode::refused, "the peer does not read: more than " +
                                         std::to_string(me.limits.outgoing_bytes) +
                                         " bytes are waiting for it"};
    Impl::finish(shared_from_this(), reason);
    return fail(std::move(reason));
  }
  if (auto written = me.engine.write(bytes); !written) {
    Impl::finish(shared_from_this(), written.error());
    return written;
  }
  Impl::flush(shared_from_this());
  return {};
}

Result<void> Connection::write(std::span<const std::byte> bytes) {
  return write(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

std::size_t Connection::pending_bytes() const {
  return impl_->sending.size() + impl_->engine.output_bytes();
}

void Connection::pause_reading(bool paused) {
  impl_->paused = paused;
  if (!paused && impl_->engine.is_open()) Impl::read(shared_from_this());
}

void Connection::close(std::string reason, std::chrono::milliseconds within) {
  Impl& me = *impl_;
  if (me.closed || me.ending) return;
  auto self = shared_from_this();
  me.ending = Error{ErrorCode::unavailable, std::move(reason)};
  me.engine.write_end();
  Impl::flush(self);
  me.deadline.expires_after(within);
  me.deadline.async_wait([self](std::error_code stopped) {
    if (!stopped) Impl::finish(self, *self->impl_->ending);
  });
  if (me.sending.empty()) Impl::linger(self);
}

void Connection::abort(Error reason) { Impl::finish(shared_from_this(), std::move(reason)); }

bool Connection::is_open() const { return impl_->engine.is_open() && !impl_->closed; }
const std::optional<identity::CertificateInfo>& Connection::peer() const {
  return impl_->engine.peer();
}
bool Connection::peer_expired() const { return impl_->engine.peer_expired(); }
std::string Connection::peer_root_pem() const { return impl_->engine.peer_root_pem(); }
bool Connection::resumed() const { return impl_->engine.resumed(); }
const std::string& Connection::peer_address() const { return impl_->address; }

}  // namespace firebreak::tls
