#include "agent/uplink/coordinator_link.h"

#include <asio/connect.hpp>
#include <asio/post.hpp>
#include <nlohmann/json.hpp>

#include "common/identity/bytes.h"
#include "common/log/log.h"
#include "common/wire/cbor.h"

namespace firebreak::uplink {

using asio::ip::tcp;

std::shared_ptr<CoordinatorLink> CoordinatorLink::create(asio::io_context& io, LinkOptions options,
                                                         std::shared_ptr<tls::Context> tls,
                                                         LinkHandlers handlers) {
  return std::shared_ptr<CoordinatorLink>(
      new CoordinatorLink(io, std::move(options), std::move(tls), std::move(handlers)));
}

CoordinatorLink::CoordinatorLink(asio::io_context& io, LinkOptions options,
                                 std::shared_ptr<tls::Context> tls, LinkHandlers handlers)
    : io_(io),
      options_(std::move(options)),
      tls_(std::move(tls)),
      handlers_(std::move(handlers)),
      resolver_(io),
      socket_(io),
      timer_(io),
      backoff_(options_.reconnect_min, options_.reconnect_max) {}

void CoordinatorLink::start() {
  asio::post(io_, [self = shared_from_this()] {
    if (self->state_ == State::idle) self->dial();
  });
}

void CoordinatorLink::stop() {
  if (state_ == State::stopped) return;
  if (connection_ && state_ == State::up) {
    if (auto frame = wire::encode_frame(wire::encode(wire::Bye{"shutdown", "the uplink stops"}))) {
      (void)connection_->write(*frame);
    }
  }
  state_ = State::stopped;
  ++attempt_;
  timer_.cancel();
  resolver_.cancel();
  std::error_code ignored;
  socket_.close(ignored);
  if (connection_) connection_->close("stopped", std::chrono::milliseconds{500});
  handlers_ = {};
}

void CoordinatorLink::use(std::shared_ptr<tls::Context> tls, bool redial) {
  tls_ = std::move(tls);
  if (!redial || !connection_) return;
  redial_at_once_ = true;
  connection_->close("redial with a new certificate");
}

void CoordinatorLink::dial() {
  state_ = State::dialling;
  const std::uint64_t attempt = ++attempt_;
  arm(options_.connect_deadline, "no connection within its deadline");
  resolver_.async_resolve(options_.host, std::to_string(options_.port),
                          tcp::resolver::numeric_service,
                          [self = shared_from_this(), attempt](
                              std::error_code code, const tcp::resolver::results_type& endpoints) {
                            if (attempt == self->attempt_) self->on_resolved(code, endpoints);
                          });
}

void CoordinatorLink::on_resolved(std::error_code code,
                                  const tcp::resolver::results_type& endpoints) {
  if (code) return lost(options_.host + " has no address: " + code.message());
  asio::async_connect(socket_, endpoints,
                      [self = shared_from_this(), attempt = attempt_](std::error_code failed,
                                                                      const tcp::endpoint&) {
                        if (attempt == self->attempt_) self->on_connected(failed);
                      });
}

void CoordinatorLink::on_connected(std::error_code code) {
  if (code) return lost("cannot connect: " + code.message());
  state_ = State::greeting;
  reader_ = wire::FrameReader(wire::frame_bytes_max);
  arm(options_.welcome_deadline, "no welcome within its deadline");
  const std::uint64_t attempt = attempt_;
  tls::ConnectionHandlers handlers;
  auto self = shared_from_this();
  const auto current = [self, attempt] { return attempt == self->attempt_; };
  handlers.opened = [self, current] {
    if (current()) self->on_opened();
  };
  handlers.received = [self, current](std::span<const std::byte> bytes) {
    if (!current()) return;
    self->on_received({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  };
  handlers.drained = [self, current] {
    if (current()) self->pump();
  };
  handlers.closed = [self, current](const Error& reason) {
    if (current()) self->lost(reason.message);
  };
  connection_ = tls::Connection::start(std::move(socket_), tls_, std::move(handlers), {});
  socket_ = tcp::socket(io_);
}

void CoordinatorLink::on_opened() {
  auto frame = wire::encode_frame(wire::encode(handlers_.hello()));
  if (!frame) return fail_session(frame.error().message);
  (void)connection_->write(*frame);
}

void CoordinatorLink::on_received(std::string_view bytes) {
  heard_ = std::chrono::steady_clock::now();
  Result<void> handled;
  auto fed = reader_.feed(bytes, [&](std::string_view frame) {
    if (handled) handled = on_frame(frame);
    return handled.has_value() && state_ != State::stopped;
  });
  if (!handled) return fail_session(handled.error().message);
  if (!fed) fail_session(fed.error().message);
}

Result<void> CoordinatorLink::on_frame(std::string_view bytes) {
  auto message = wire::parse_cbor(bytes);
  if (!message) return fail(message.error());
  auto type = wire::type_of(*message);
  if (!type) return fail(type.error());
  if (*type == "beat") return {};
  if (*type == "bye") {
    auto bye = wire::parse_bye(*message);
    if (!bye) return fail(bye.error());
    return fail(ErrorCode::unavailable, "the coordinator said: " + bye->code + ": " + bye->message);
  }
  if (*type == "welcome") return on_welcome(*message);
  if (state_ != State::up && *type != "renew_required" && *type != "renewed") {
    return fail(ErrorCode::bad_input, "'" + *type + "' before the welcome");
  }
  return handlers_.message(*type, std::move(*message));
}

Result<void> CoordinatorLink::on_welcome(const nlohmann::json& message) {
  if (state_ != State::greeting) return fail(ErrorCode::bad_input, "a second welcome");
  auto welcome = wire::parse_welcome(message);
  if (!welcome) return fail(welcome.error());
  if (welcome->version != wire::protocol_version) {
    return fail(ErrorCode::bad_input, "the coordinator speaks another version of the protocol");
  }
  state_ = State::up;
  up_since_ = std::chrono::steady_clock::now();
  watch_silence();
  handlers_.up(*welcome);
  pump();
  return {};
}

/// Ends the session on our own account.
void CoordinatorLink::fail_session(std::string reason) {
  if (connection_) connection_->abort({ErrorCode::unavailable, reason});
  lost(reason);
}

void CoordinatorLink::lost(const std::string& reason) {
  if (state_ == State::stopped) return;
  const bool was_up = state_ == State::up;
  if (was_up && std::chrono::steady_clock::now() - up_since_ >= options_.settled) backoff_.reset();
  state_ = State::idle;
  ++attempt_;
  timer_.cancel();
  resolver_.cancel();
  if (connection_) connection_->abort({ErrorCode::unavailable, reason});
  connection_.reset();
  std::error_code ignored;
  socket_.close(ignored);
  answers_.clear();
  messages_.clear();
  pause_then_dial();
  handlers_.down(reason, was_up);
}

void CoordinatorLink::pause_then_dial() {
  const auto random = identity::random_bytes<4>();
  const std::uint32_t bits = static_cast<std::uint32_t>(random[0]) << 8 | random[1];
  const auto pause =
      std::exchange(redial_at_once_, false) ? std::chrono::milliseconds{10} : backoff_.next(bits);
  timer_.expires_after(pause);
  timer_.async_wait([self = shared_from_this(), attempt = attempt_](std::error_code stopped) {
    if (!stopped && attempt == self->attempt_) self->dial();
  });
}

void CoordinatorLink::arm(std::chrono::milliseconds within, const char* what) {
  timer_.expires_after(within);
  timer_.async_wait([self = shared_from_this(), attempt = attempt_, what](std::error_code stopped) {
    if (!stopped && attempt == self->attempt_ && self->state_ != State::up) {
      self->fail_session(what);
    }
  });
}

void CoordinatorLink::watch_silence() {
  timer_.expires_at(heard_ + options_.silence_max);
  timer_.async_wait([self = shared_from_this(), attempt = attempt_](std::error_code stopped) {
    if (stopped || attempt != self->attempt_) return;
    if (std::chrono::steady_clock::now() - self->heard_ >= self->options_.silence_max) {
      return self->fail_session("three heartbeats of the coordinator are missing");
    }
    self->watch_silence();
  });
}

void CoordinatorLink::send_answer(const nlohmann::json& message) { enqueue(answers_, message); }

void CoordinatorLink::send(const nlohmann::json& message) { enqueue(messages_, message); }

void CoordinatorLink::enqueue(std::deque<std::string>& queue, const nlohmann::json& message) {
  const bool renewing =
      state_ == State::greeting && message.contains("t") && message["t"] == "renew";
  if (state_ != State::up && !renewing) return;
  auto frame = wire::encode_frame(message);
  if (!frame) return log::error("a message cannot be sent: {}", frame.error().message);
  if (queue.size() >= waiting_max) {
    // Posted: the caller is in the middle of something that the end of the session touches.
    return asio::post(io_, [self = shared_from_this(), attempt = attempt_] {
      if (attempt == self->attempt_) self->fail_session("the coordinator does not read");
    });
  }
  queue.push_back(std::move(*frame));
  pump();
}

void CoordinatorLink::pump() {
  // One frame at a time is handed to TLS, so that what matters more can still overtake the rest.
  while (connection_ && connection_->is_open() && connection_->pending_bytes() == 0) {
    std::string frame;
    if (!answers_.empty()) {
      frame = std::move(answers_.front());
      answers_.pop_front();
    } else if (const auto newest = state_ == State::up ? handlers_.telemetry() : nullptr;
               !newest.is_null()) {
      auto encoded = wire::encode_frame(newest);
      if (!encoded) {
        log::error("telemetry cannot be sent: {}", encoded.error().message);
        continue;
      }
      frame = std::move(*encoded);
    } else if (!messages_.empty()) {
      frame = std::move(messages_.front());
      messages_.pop_front();
    } else {
      return;
    }
    if (!connection_->write(frame)) return;
  }
}

}  // namespace firebreak::uplink
