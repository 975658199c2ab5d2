#include "coordinator/front_door/door_connection.h"

#include "common/log/log.h"

namespace firebreak::coordinator {
namespace {

/// Written at once; well under the TLS class's own bound on what may wait.
constexpr std::size_t piece_bytes = 256 * 1024;
/// What a client may send early, while its request is being answered.
constexpr std::size_t inbox_max = 64 * 1024;

Error ended(std::string why) { return {ErrorCode::unavailable, std::move(why)}; }

}  // namespace

DoorConnection::DoorConnection(FrontDoor::Core& core, std::string address, bool stop_only)
    : core_(core),
      address_(std::move(address)),
      stop_only_(stop_only),
      deadline_(core.io),
      pause_(core.io) {}

void DoorConnection::start(asio::ip::tcp::socket socket, std::shared_ptr<tls::Context> context) {
  tls::ConnectionLimits limits;
  limits.handshake = core_.options.handshake;
  const auto self = shared_from_this();
  tls::ConnectionHandlers handlers;
  handlers.opened = [self] {
    self->phase_ = Phase::reading;
    self->set_deadline(self->core_.options.head, "head");
  };
  handlers.received = [self](std::span<const std::byte> bytes) {
    self->on_received({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  };
  handlers.drained = [self] { self->on_drained(); };
  handlers.closed = [self](const Error&) { self->leave(); };
  tls_ = tls::Connection::start(std::move(socket), std::move(context), std::move(handlers), limits);
}

bool DoorConnection::evictable() const {
  return !authenticated_ && (phase_ == Phase::handshake || phase_ == Phase::reading);
}

void DoorConnection::leave() {
  if (phase_ == Phase::closed) return;
  phase_ = Phase::closed;
  if (counted_stream_) --core_.stream_count;
  deadline_.cancel();
  pause_.cancel();
  core_.remove(this);
}

void DoorConnection::abort(const std::string& why) {
  const auto self = shared_from_this();
  if (tls_) tls_->abort(ended(why));
  leave();
}

void DoorConnection::fail_by_mistake(const std::string& what) {
  log::error("front door: {}: a mistake of ours ends this connection: {}", address_, what);
  abort("a mistake of ours");
}

template <class Make, class Take>
bool DoorConnection::on_worker(Make make, Take take, bool stop) {
  return core_.pool->submit(
      [self = shared_from_this(), make = std::move(make), take = std::move(take),
       &io = core_.io]() mutable {
        try {
          auto made = std::make_shared<decltype(make())>(make());
          asio::post(io, [self, take, made] { self->guarded([&] { take(std::move(*made)); }); });
        } catch (const std::exception& e) {
          asio::post(io, [self, what = std::string(e.what())] { self->fail_by_mistake(what); });
        }
      },
      stop);
}

void DoorConnection::close_softly() {
  const auto self = shared_from_this();
  if (tls_) tls_->close("done");
  leave();
}

void DoorConnection::set_deadline(std::chrono::milliseconds within, const char* what) {
  deadline_for_ = what;
  deadline_.expires_after(within);
  deadline_.async_wait([weak = weak_from_this()](const std::error_code& error) {
    const auto self = weak.lock();
    if (!error && self) self->guarded([&] { self->on_deadline(); });
  });
}

void DoorConnection::on_deadline() {
  if (phase_ == Phase::closed) return;
  // A timer that fired while it was being set anew has nothing to say.
  if (deadline_.expiry() > std::chrono::steady_clock::now()) return;
  if (phase_ == Phase::reading && parser_.started())
    return refuse(
        {408, "timeout", std::string("the request's ") + deadline_for_ + " did not come in time"});
  abort(std::string("deadline: ") + deadline_for_);
}

void DoorConnection::on_received(std::string_view bytes) {
  if (phase_ == Phase::streaming) {
    // Nothing is expected on a stream; a flood ends it.
    inbox_.append(bytes.substr(0, inbox_max));
    if (inbox_.size() >= inbox_max) abort("bytes on a stream");
    return;
  }
  if (phase_ != Phase::reading) {
    if (inbox_.size() + bytes.size() > inbox_max) return abort("too many bytes came early");
    inbox_.append(bytes);
    return;
  }
  inbox_.append(bytes);
  read_on();
}

void DoorConnection::read_on() {
  const bool fresh = !parser_.started() && requests_ > 0;
  const bool was_in_head = parser_.state() == RequestParser::State::head;
  const std::size_t taken = parser_.feed(inbox_);
  inbox_.erase(0, taken);
  switch (parser_.state()) {
    case RequestParser::State::refused: return refuse(parser_.refusal());
    case RequestParser::State::complete: return dispatch();
    case RequestParser::State::body:
      if (was_in_head) set_deadline(core_.options.body, "body");
      return;
    case RequestParser::State::head:
      if (fresh && parser_.started()) set_deadline(core_.options.head, "head");
      return;
  }
}

void DoorConnection::refuse(const Refusal& refusal) {
  Answer answer;
  answer.bytes = core_.handler.refusal(refusal);
  answer.close = true;
  inbox_.clear();
  tls_->pause_reading(true);
  send_answer(std::move(answer));
}

void DoorConnection::dispatch() {
  ParsedRequest request = parser_.take();
  const bool stop = is_stop(request);
  if (stop_only_ && !stop)
    return refuse({503, "busy", "every connection is taken; only stops are served now"});
  phase_ = Phase::working;
  ++requests_;
  deadline_.cancel();
  tls_->pause_reading(true);
  if (requests_ >= core_.options.requests_per_connection) request.keep_alive = false;
  auto shared = std::make_shared<ParsedRequest>(std::move(request));
  const bool queued = on_worker(
      [this, shared] { return core_.handler.handle(std::move(*shared), address_); },
      [this](Answer answer) { on_answer(std::make_shared<Answer>(std::move(answer))); }, stop);
  if (!queued) refuse({503, "busy", "too many requests wait"});
}

void DoorConnection::on_answer(std::shared_ptr<Answer> answer) {
  if (phase_ == Phase::closed) return;
  authenticated_ = authenticated_ || answer->authenticated;
  if (answer->delay.count() == 0) return send_answer(std::move(*answer));
  pause_.expires_after(answer->delay);
  pause_.async_wait([self = shared_from_this(), answer](const std::error_code& error) {
    if (error || self->phase_ == Phase::closed) return;
    self->guarded([&] { self->send_answer(std::move(*answer)); });
  });
}

void DoorConnection::send_answer(Answer answer) {
  if (answer.stream && core_.stream_count >= core_.options.streams_max) {
    answer.stream.reset();
    answer.bytes = core_.handler.refusal({503, "busy", "too many streams are open"});
  }
  phase_ = Phase::writing;
  outbox_ = std::move(answer.bytes);
  written_ = 0;
  close_after_ = answer.close;
  stream_ = std::move(answer.stream);
  write_some();
}

void DoorConnection::write_some() {
  set_deadline(core_.options.write, "answer");
  const std::string_view piece = std::string_view(outbox_).substr(written_, piece_bytes);
  written_ += piece.size();
  if (auto queued = tls_->write(piece); !queued) abort(queued.error().message);
}

void DoorConnection::on_drained() {
  if (phase_ == Phase::writing) {
    if (written_ < outbox_.size()) return write_some();
    outbox_.clear();
    written_ = 0;
    return finish_answer();
  }
  if (phase_ == Phase::streaming && !outbox_.empty()) {
    outbox_.clear();
    deadline_.cancel();
    if (stream_ended_) return close_softly();
    pull();
  }
}

void DoorConnection::finish_answer() {
  if (stream_) return begin_stream();
  if (close_after_) return close_softly();
  phase_ = Phase::reading;
  set_deadline(core_.options.idle, "next request");
  tls_->pause_reading(false);
  if (!inbox_.empty()) read_on();
}

void DoorConnection::begin_stream() {
  phase_ = Phase::streaming;
  counted_stream_ = true;
  ++core_.stream_count;
  deadline_.cancel();
  tls_->pause_reading(false);  // So that the client's end is seen.
  pull();
}

void DoorConnection::wake() {
  if (phase_ != Phase::streaming) return;
  news_ = true;
  if (!pulling_ && outbox_.empty()) pull();
}

void DoorConnection::pull() {
  if (pulling_) return;
  pulling_ = true;
  news_ = false;
  pause_.cancel();
  const bool queued = on_worker([stream = stream_] { return stream->next(); },
                                [this](StreamChunk chunk) { on_chunk(std::move(chunk)); }, false);
  if (queued) return;
  pulling_ = false;
  news_ = true;
  arm_heartbeat();
}

void DoorConnection::on_chunk(StreamChunk chunk) {
  pulling_ = false;
  if (phase_ != Phase::streaming) return;
  stream_ended_ = chunk.end;
  if (chunk.bytes.empty()) {
    if (chunk.end) return close_softly();
    if (news_) return pull();
    return arm_heartbeat();
  }
  outbox_ = std::move(chunk.bytes);
  set_deadline(core_.options.write, "a slow reader");
  if (auto queued = tls_->write(outbox_); !queued) abort(queued.error().message);
}

void DoorConnection::arm_heartbeat() {
  pause_.expires_after(news_ ? std::chrono::milliseconds{1000} : core_.options.heartbeat);
  pause_.async_wait([weak = weak_from_this()](const std::error_code& error) {
    const auto self = weak.lock();
    if (error || !self || self->phase_ != Phase::streaming) return;
    if (self->pulling_ || !self->outbox_.empty()) return;
    self->guarded([&] { self->send_heartbeat(); });
  });
}

/// The comment keeps proxies awake and finds out whether the client is still there; the source is
/// asked again after it, so that a token that ended in silence ends its stream.
void DoorConnection::send_heartbeat() {
  outbox_ = ": still here\n\n";
  set_deadline(core_.options.write, "a slow reader");
  if (auto queued = tls_->write(outbox_); !queued) abort(queued.error().message);
}

}  // namespace firebreak::coordinator
