#include "agent/uplink/printers/mqtt_connection.h"

#include <fmt/format.h>
#include <mosquitto.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <asio/ip/address.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <cstring>

#include "agent/uplink/printers/tls_identity.h"

namespace firebreak::uplink {
namespace {

using asio::ip::tcp;
using asio::posix::descriptor_base;

/// A connection that answers comes up within a second, also over a slow radio.
constexpr std::chrono::seconds attempt_longest{8};
/// libmosquitto asks for a sign of life after so long without one, and ends the connection when
/// none comes in the same time again. Its least is 5.
constexpr int keep_alive_s = 10;
/// How often that is looked after.
constexpr std::chrono::seconds tick_every{1};
/// Messages of one turn before others have theirs.
constexpr int messages_per_turn = 16;
/// MQTT's answer to a subscription that is not granted (MQTT 3.1.1, 3.9.3).
constexpr int subscription_refused = 0x80;

struct MosquittoDestroy {
  void operator()(mosquitto* client) const noexcept { mosquitto_destroy(client); }
};

std::string text_of(int mosquitto_error) {
  return mosquitto_error == MOSQ_ERR_ERRNO ? std::strerror(errno)
                                           : mosquitto_strerror(mosquitto_error);
}

void begin_library() {
  static const int begun = mosquitto_lib_init();
  (void)begun;
}

}  // namespace

struct MqttConnection::Parts {
  Parts(asio::io_context& context, const MqttAccess& wanted, MqttHandlers told)
      : io(context),
        access(wanted),
        handlers(std::move(told)),
        expected{wanted.public_key_pin, wanted.certificate_name},
        resolver(context),
        socket(context),
        timer(context) {}

  static Parts& of(void* argument) { return *static_cast<Parts*>(argument); }
  void on_connect(int code);
  void on_message(const mosquitto_message& message);
  void on_subscribe(int granted);
  void count_record(const unsigned char* header, const SSL* ssl);

  asio::io_context& io;
  const MqttAccess access;
  MqttHandlers handlers;
  ExpectedIdentity expected;
  TlsContextPointer tls;
  tcp::resolver resolver;
  /// A second descriptor of the library's socket, to wait on: the library closes its own whenever
  /// it likes.
  asio::posix::stream_descriptor socket;
  asio::steady_timer timer;
  std::chrono::steady_clock::time_point give_up_at{std::chrono::steady_clock::now() +
                                                   attempt_longest};
  std::unique_ptr<mosquitto, MosquittoDestroy> client;
  bool closed = false;
  bool in_turn = false;  ///< The library or a handler is at work further down the stack.
  bool up = false;
  bool tell_up = false;
  bool reads = false, writes = false;  ///< A wait is out.
  std::size_t unread_bytes = 0;
  std::string refusal;  ///< Why the broker does not want us.
};

void MqttConnection::Parts::on_connect(int code) {
  if (code == 0) {
    mosquitto_subscribe(client.get(), nullptr, access.topic.c_str(), 0);
  } else if (code == 4 || code == 5) {
    // MQTT 3.1.1, 3.2.2.3: bad user name or password; not authorized.
    refusal = "it refuses the user or the password";
  }
}

void MqttConnection::Parts::on_subscribe(int granted) {
  if (granted == subscription_refused) {
    refusal = "it refuses to report to us";
  } else if (!up) {
    up = tell_up = true;
  }
}

void MqttConnection::Parts::on_message(const mosquitto_message& message) {
  unread_bytes = 0;
  // A retained message is as old as the broker likes: no news of the printer.
  if (closed || message.retain || message.payload == nullptr) return;
  handlers.message(std::string_view(static_cast<const char*>(message.payload),
                                    static_cast<std::size_t>(message.payloadlen)));
}

/// Every TLS record that comes in, before the library puts it into a packet: the library makes room
/// for whatever length (up to 256 MB) a packet claims, and reads on in one call as long as bytes
/// come. Ending the socket's life here ends that call, and the room was never touched.
void MqttConnection::Parts::count_record(const unsigned char* header, const SSL* ssl) {
  unread_bytes += static_cast<std::size_t>(header[3]) << 8 | header[4];
  if (unread_bytes > unread_bytes_max) ::shutdown(SSL_get_fd(ssl), SHUT_RDWR);
}

MqttConnection::MqttConnection(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

MqttConnection::~MqttConnection() { close(); }

std::shared_ptr<MqttConnection> MqttConnection::open(asio::io_context& io, const MqttAccess& access,
                                                     MqttHandlers handlers) {
  begin_library();
  auto made = std::shared_ptr<MqttConnection>(
      new MqttConnection(std::make_unique<Parts>(io, access, std::move(handlers))));
  asio::post(io, [self = made] {
    if (self->parts_->closed) return;
    self->tick();
    self->resolve();
  });
  return made;
}

/// The library would look a name up itself, and block.
void MqttConnection::resolve() {
  std::error_code code;
  const auto address = asio::ip::make_address(parts_->access.host, code);
  if (!code) return connect(address.to_string());
  parts_->resolver.async_resolve(
      parts_->access.host, "",
      [self = shared_from_this()](std::error_code failed,
                                  const tcp::resolver::results_type& found) {
        if (self->parts_->closed) return;
        if (failed || found.empty()) {
          return self->fail_with(MqttLoss::absent, "its name is not known: " + failed.message());
        }
        self->connect(found.begin()->endpoint().address().to_string());
      });
}

void MqttConnection::connect(const std::string& address) {
  Parts& parts = *parts_;
  parts.tls = make_tls_context(parts.expected);
  parts.client.reset(mosquitto_new(nullptr, true, &parts));
  if (!parts.tls || !parts.client) return fail_with(MqttLoss::absent, "no memory to connect");

  mosquitto* client = parts.client.get();
  SSL_CTX_set_msg_callback(parts.tls.get(), [](int out, int, int type, const void* bytes,
                                               std::size_t size, SSL* ssl, void* argument) {
    if (out == 0 && type == SSL3_RT_HEADER && size >= SSL3_RT_HEADER_LENGTH) {
      Parts::of(argument).count_record(static_cast<const unsigned char*>(bytes), ssl);
    }
  });
  SSL_CTX_set_msg_callback_arg(parts.tls.get(), &parts);
  // Without the second line the library would want a file of authorities beside our context.
  mosquitto_void_option(client, MOSQ_OPT_SSL_CTX, parts.tls.get());
  mosquitto_int_option(client, MOSQ_OPT_SSL_CTX_WITH_DEFAULTS, 0);
  mosquitto_int_option(client, MOSQ_OPT_TCP_NODELAY, 1);
  mosquitto_int_option(client, MOSQ_OPT_SEND_MAXIMUM, 0xFFFF);
  mosquitto_username_pw_set(client, parts.access.user.c_str(), parts.access.password.c_str());
  mosquitto_connect_callback_set(
      client, [](mosquitto*, void* argument, int code) { Parts::of(argument).on_connect(code); });
  mosquitto_subscribe_callback_set(
      client, [](mosquitto*, void* argument, int, int count, const int* granted) {
        Parts::of(argument).on_subscribe(count > 0 ? granted[0] : subscription_refused);
      });
  mosquitto_message_callback_set(client,
                                 [](mosquitto*, void* argument, const mosquitto_message* message) {
                                   Parts::of(argument).on_message(*message);
                                 });

  const int begun =
      mosquitto_connect_async(client, address.c_str(), parts.access.port, keep_alive_s);
  const int copy = mosquitto_socket(client) < 0 ? -1 : ::dup(mosquitto_socket(client));
  if (begun != MOSQ_ERR_SUCCESS || copy < 0) return fail_with(MqttLoss::absent, text_of(begun));
  std::error_code code;
  parts.socket.assign(copy, code);
  arm();
}

/// Waits for what the library can go on with.
void MqttConnection::arm() {
  Parts& parts = *parts_;
  const auto wait = [&](descriptor_base::wait_type kind, bool Parts::*waits) {
    if (parts.*waits) return;
    parts.*waits = true;
    parts.socket.async_wait(kind, [self = shared_from_this(), waits](std::error_code stopped) {
      (*self->parts_).*waits = false;
      if (!stopped && !self->parts_->closed) self->turn();
    });
  };
  wait(descriptor_base::wait_read, &Parts::reads);
  if (mosquitto_want_write(parts.client.get())) wait(descriptor_base::wait_write, &Parts::writes);
}

void MqttConnection::tick() {
  Parts& parts = *parts_;
  parts.timer.expires_after(tick_every);
  parts.timer.async_wait([self = shared_from_this()](std::error_code stopped) {
    if (stopped || self->parts_->closed) return;
    if (!self->parts_->up && std::chrono::steady_clock::now() > self->parts_->give_up_at) {
      return self->fail_with(MqttLoss::absent, "no answer");
    }
    self->tick();
    if (self->parts_->client) self->turn();
  });
}

void MqttConnection::turn() {
  parts_->in_turn = true;
  run();
  parts_->in_turn = false;
  if (parts_->closed) return release();
  arm();
}

/// One turn of the library: it reads, writes and looks after its keep-alive, without waiting.
void MqttConnection::run() {
  Parts& parts = *parts_;
  mosquitto* client = parts.client.get();
  // An attempt that the network refuses looks to the library like one that is not ready yet.
  int problem = 0;
  socklen_t size = sizeof problem;
  if (::getsockopt(parts.socket.native_handle(), SOL_SOCKET, SO_ERROR, &problem, &size) == 0 &&
      problem != 0) {
    return fail_with(MqttLoss::absent, std::strerror(problem));
  }
  int result = MOSQ_ERR_SUCCESS;
  for (int i = 0; i < messages_per_turn && result == MOSQ_ERR_SUCCESS && !parts.closed; ++i) {
    result = mosquitto_loop(client, 0, 1);
    const auto* ssl = static_cast<const SSL*>(mosquitto_ssl_get(client));
    if (ssl == nullptr || SSL_pending(ssl) == 0) break;
  }
  if (parts.closed) return;
  if (parts.expected.refused) {
    return fail_with(MqttLoss::wrong_certificate, "its certificate is not that of this printer");
  }
  if (!parts.refusal.empty()) return fail_with(MqttLoss::refused, parts.refusal);
  if (parts.unread_bytes > unread_bytes_max) {
    return fail_with(MqttLoss::absent, fmt::format("it sent more than {} bytes that are no message",
                                                   unread_bytes_max));
  }
  if (result != MOSQ_ERR_SUCCESS || mosquitto_socket(client) < 0) {
    return fail_with(MqttLoss::absent,
                     text_of(result == MOSQ_ERR_SUCCESS ? MOSQ_ERR_CONN_LOST : result));
  }
  if (std::exchange(parts.tell_up, false)) parts.handlers.up();
}

Result<void> MqttConnection::publish(const std::string& topic, const std::string& payload) {
  Parts& parts = *parts_;
  if (parts.closed || !parts.up) {
    return fail(ErrorCode::unavailable, "the printer is not connected");
  }
  const int result = mosquitto_publish(parts.client.get(), nullptr, topic.c_str(),
                                       static_cast<int>(payload.size()), payload.data(), 1, false);
  if (result != MOSQ_ERR_SUCCESS) {
    return fail(ErrorCode::unavailable, "the printer did not take an order: " + text_of(result));
  }
  if (!parts.in_turn) arm();
  return {};
}

void MqttConnection::fail_with(MqttLoss loss, std::string why) {
  if (parts_->closed) return;
  parts_->closed = true;
  const auto lost = std::move(parts_->handlers.lost);
  if (!parts_->in_turn) release();
  if (lost) lost(loss, why);
}

void MqttConnection::close() {
  if (std::exchange(parts_->closed, true)) return;
  if (!parts_->in_turn) release();
}

void MqttConnection::release() {
  std::error_code ignored;
  parts_->timer.cancel();
  parts_->resolver.cancel();
  parts_->socket.close(ignored);
  parts_->handlers = {};
  parts_->client.reset();
}

}  // namespace firebreak::uplink
