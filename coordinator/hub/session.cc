#include "coordinator/hub/session.h"

#include <fmt/format.h>

#include <asio/ip/tcp.hpp>

#include "common/base/hex.h"
#include "common/identity/authority.h"
#include "common/identity/bytes.h"
#include "common/identity/time_floor.h"
#include "common/log/log.h"
#include "common/wire/cbor.h"
#include "coordinator/hub/hub_core.h"

namespace firebreak::coordinator {
namespace {

/// From the end of the handshake to a hello or an enrolment.
constexpr std::chrono::seconds first_frame_deadline{10};

}  // namespace

Session::Session(std::shared_ptr<HubCore> core)
    : core_(std::move(core)), timer_(core_->executor()) {}

std::shared_ptr<Session> Session::start(std::shared_ptr<HubCore> core, tls::Socket socket) {
  std::shared_ptr<Session> self(new Session(std::move(core)));
  tls::ConnectionHandlers handlers;
  handlers.opened = [self] { self->on_opened(); };
  handlers.received = [self](std::span<const std::byte> bytes) {
    self->on_received({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  };
  handlers.drained = [self] { self->pump(); };
  handlers.closed = [self](const Error& reason) { self->on_closed(reason); };
  self->connection_ =
      tls::Connection::start(std::move(socket), self->core_->tls(), std::move(handlers), {});
  return self;
}

void Session::on_opened() {
  if (const auto& peer = connection_->peer()) {
    agent_ = peer->common_name;
    if (!wire::is_name(agent_)) {
      agent_.clear();
      return refuse("bad_certificate", "unauthenticated", "its certificate names no agent");
    }
  }
  timer_.expires_after(first_frame_deadline);
  timer_.async_wait([self = shared_from_this()](std::error_code stopped) {
    if (!stopped && self->state_ == State::newcomer) self->abort("no hello within its deadline");
  });
}

void Session::on_received(std::string_view bytes) {
  if (state_ == State::over) return;
  heard_ = true;
  auto fed = reader_.feed(bytes, [this](std::string_view frame) { return on_frame(frame); });
  if (!fed) refuse("bad_frame", "malformed", fed.error().message);
}

bool Session::on_frame(std::string_view bytes) {
  Result<void> handled;
  if (auto message = wire::parse_cbor(bytes); !message) {
    handled = fail(message.error());
  } else if (auto type = wire::type_of(*message); !type) {
    handled = fail(type.error());
  } else {
    // What a message means is read in many places, also behind the ports; an agent that was taken
    // over must not end the coordinator with a type that none of them expected.
    try {
      handled = on_message(*type, std::move(*message));
    } catch (const std::exception& e) {
      handled = fail(ErrorCode::bad_input, *type + ": " + e.what());
    }
  }
  if (!handled) refuse("bad_frame", "malformed", handled.error().message);
  return state_ != State::over;
}

Result<void> Session::on_message(const std::string& type, nlohmann::json message) {
  const bool known = connection_->peer().has_value();
  if (type == "bye") {
    if (auto bye = wire::parse_bye(message)) abort("the agent said: " + bye->code);
    return {};
  }
  if (state_ == State::newcomer && !known) {
    if (type == "enroll") return on_enroll(message);
    refuse("unauthenticated", "unauthenticated", "'" + type + "' without a certificate");
    return {};
  }
  if (state_ == State::newcomer && type == "hello") return on_hello(message);
  if ((state_ == State::up || state_ == State::renewing) && type == "renew") {
    return on_renew(message);
  }
  if (state_ == State::up) {
    if (type == "telemetry") return on_telemetry(std::move(message));
    if (type == "events") return on_events(std::move(message));
    if (type == "result") return on_result(message);
    if (type == "beat") return {};
  }
  return fail(ErrorCode::bad_input, "'" + type.substr(0, 32) + "' does not belong here");
}

Result<void> Session::on_enroll(const nlohmann::json& message) {
  auto enroll = wire::parse_enroll(message);
  if (!enroll) return fail(enroll.error());
  if (enroll->version != wire::protocol_version) {
    refuse("unknown_version", "version", fmt::format("enrolment speaks v{}", enroll->version));
    return {};
  }
  state_ = State::enrolling;
  agent_ = enroll->agent;
  auto task = [core = core_, enroll = std::move(*enroll)] {
    auto& ports = core->ports();
    return ports.registry.enroll(enroll.agent, identity::sha256(enroll.secret), [&] {
      return ports.authority.sign_agent(enroll.request_pem, enroll.agent, ports.time.now());
    });
  };
  core_->in_background(
      shared_from_this(), std::move(task),
      [self = shared_from_this()](auto certificate) { self->on_enrolled(std::move(certificate)); });
  return {};
}

void Session::on_enrolled(Result<identity::CertificateInfo> certificate) {
  if (state_ != State::enrolling) return;
  if (!certificate) {
    // Which of the reasons it was is for the log: a stranger learns nothing about tokens.
    core_->report(agent_, "enrolment_refused", certificate.error().message);
    return end("enrolment_refused",
               "the coordinator refuses this token; make a new one with 'firebreak enroll'");
  }
  core_->forget_clone(agent_);
  core_->forget_renewal(agent_);
  log::info("{} enrolled from {}, certificate until {}", agent_, address(),
            certificate->not_after.time_since_epoch().count());
  wire::Enrolled answer{identity::to_pem(*certificate), core_->roots(),
                        core_->options().reset_public_key};
  send(wire::encode(answer));
  state_ = State::over;
  connection_->close("enrolled");
}

Result<void> Session::on_hello(const nlohmann::json& message) {
  auto hello = wire::parse_hello(message);
  if (!hello) return fail(hello.error());
  if (hello->version != wire::protocol_version) {
    refuse(
        "unknown_version", "version",
        fmt::format("it speaks v{}, this coordinator v{}", hello->version, wire::protocol_version));
    return {};
  }
  if (hello->agent != agent_) {
    refuse("wrong_name", "unauthenticated", "it calls itself '" + hello->agent + "'");
    return {};
  }
  hello_ = std::move(*hello);
  state_ = State::checking;
  auto task = [core = core_, agent = agent_, fingerprint = connection_->peer()->fingerprint] {
    auto& ports = core->ports();
    Admission admission{ports.registry.standing(agent, fingerprint), {}, {}};
    if (!admission.standing || *admission.standing != Standing::good) return admission;
    if (auto used = ports.registry.certificate_used(agent, fingerprint); !used) {
      admission.standing = fail(used.error());
      return admission;
    }
    admission.positions = ports.events.positions(agent);
    admission.head = ports.events.head();
    return admission;
  };
  core_->in_background(shared_from_this(), std::move(task),
                       [self = shared_from_this()](Admission admission) {
                         self->on_admission(std::move(admission));
                       });
  return {};
}

void Session::on_admission(Admission admission) {
  if (state_ != State::checking) return;
  if (!admission.standing || !admission.positions) {
    const Error& error =
        admission.standing ? admission.positions.error() : admission.standing.error();
    log::warning("{}: cannot be checked now: {}", agent_, error.message);
    return end("unavailable", "the coordinator's store does not answer; dial again");
  }
  switch (*admission.standing) {
    case Standing::good: break;
    case Standing::revoked: return refuse("revoked", "revoked", "this agent was revoked");
    case Standing::superseded:
      return refuse("superseded", "unauthenticated",
                    "this certificate was replaced by a newer one");
    case Standing::unknown:
      return refuse("unknown_agent", "unauthenticated", "this certificate is in no register");
  }
  if (connection_->peer_expired()) {
    if (!core_->may_renew_ended(*this))
      return end("approval_required",
                 "its certificate has ended; a person must let it renew: "
                 "firebreak agents approve " +
                     agent_);
    state_ = State::renewing;
    log::warning("{}: its certificate has ended; it may only renew", agent_);
    return send(wire::renew_required());
  }
  core_->admit(shared_from_this());
  if (state_ == State::checking) welcome(admission);
}

void Session::welcome(const Admission& admission) {
  state_ = State::up;
  reader_.allow(wire::frame_bytes_max);
  wire::Welcome welcome;
  welcome.epoch = core_->epoch();
  welcome.wall_ms = core_->ports().time.now().time_since_epoch().count();
  welcome.head = admission.head;
  welcome.roots = core_->roots();
  for (const LogPosition& position : *admission.positions) {
    welcome.receipts.push_back({position.log, position.stored, position.durable});
  }
  send(wire::encode(welcome));
  const bool of_old_root =
      connection_->peer()->issuer != core_->ports().authority.certificate().common_name;
  nlohmann::json hello = wire::encode(hello_);
  hello["knows_roots"] = hello_.roots == to_hex(identity::sha256(core_->roots()));
  hello["of_old_root"] = of_old_root;
  core_->ports().fleet.agent_connected(agent_, hello, address());
  log::info("{} connected from {}{}", agent_, address(),
            connection_->resumed() ? " (resumed)" : "");
  arm_beat();
  core_->ready(shared_from_this());
  if (of_old_root) send(wire::renew_required());
}

Result<void> Session::on_telemetry(nlohmann::json message) {
  auto telemetry = wire::parse_telemetry(std::move(message));
  if (!telemetry) return fail(telemetry.error());
  nonce_ = telemetry->nonce;
  core_->ports().fleet.telemetry(agent_, telemetry->status);
  return {};
}

Result<void> Session::on_events(nlohmann::json message) {
  auto events = wire::parse_events(std::move(message));
  if (!events) return fail(events.error());
  if (batches_.size() >= batches_max) {
    return fail(ErrorCode::bad_input, "events: more batches than receipts");
  }
  batches_.push_back(std::move(*events));
  store_next();
  return {};
}

void Session::store_next() {
  if (storing_ || batches_.empty()) return;
  storing_ = true;
  auto batch = std::make_shared<wire::Events>(std::move(batches_.front()));
  batches_.pop_front();
  auto task = [core = core_, agent = agent_, batch] {
    return core->ports().events.append_events(agent, batch->log, batch->events);
  };
  core_->in_background(
      shared_from_this(), std::move(task),
      [self = shared_from_this()](Result<Receipt> receipt) { self->on_stored(receipt); });
}

void Session::on_stored(const Result<Receipt>& receipt) {
  storing_ = false;
  if (state_ != State::up) return;
  if (!receipt) {
    // Nothing was stored: the agent keeps the events and sends them again after it has redialled,
    // with its back-off, so a full disk is not hammered.
    log::error("{}: its events cannot be stored: {}", agent_, receipt.error().message);
    return end("unavailable", "the coordinator cannot store events now; dial again");
  }
  const LogPosition& position = receipt->position;
  send(wire::encode(wire::Receipt{
      {position.log, position.stored, position.durable}, receipt->index, receipt->head}));
  store_next();
}

Result<void> Session::on_result(const nlohmann::json& message) {
  auto result = wire::parse_result(message);
  if (!result) return fail(result.error());
  core_->answer(*this, *result);
  return {};
}

Result<void> Session::on_renew(const nlohmann::json& message) {
  auto renew = wire::parse_renew(message);
  if (!renew) return fail(renew.error());
  if (renewing_now_) return fail(ErrorCode::bad_input, "renew: one at a time");
  renewing_now_ = true;
  auto task = [core = core_, agent = agent_,
               request = std::move(renew->request_pem)]() -> Result<identity::CertificateInfo> {
    auto& ports = core->ports();
    auto certificate = ports.authority.sign_agent(request, agent, ports.time.now());
    if (!certificate) return certificate;
    if (auto added = ports.registry.add_certificate(agent, *certificate); !added) {
      return fail(added.error());
    }
    return certificate;
  };
  core_->in_background(
      shared_from_this(), std::move(task), [self = shared_from_this()](auto certificate) {
        self->renewing_now_ = false;
        if (self->state_ != State::up && self->state_ != State::renewing) return;
        if (!certificate) {
          return self->refuse("renewal_refused", "malformed", certificate.error().message);
        }
        log::info("{}: certificate renewed", self->agent_);
        self->core_->forget_renewal(self->agent_);
        self->send(wire::encode(wire::Renewed{identity::to_pem(*certificate)}));
      });
  return {};
}

void Session::send_urgent(const nlohmann::json& message) {
  if (state_ == State::over) return;
  auto frame = wire::encode_frame(message);
  if (!frame) return log::error("{}: {}", agent_, frame.error().message);
  // Straight into the connection: at most the one frame that is leaving already is before it.
  (void)connection_->write(*frame);
}

void Session::send(const nlohmann::json& message) {
  if (state_ == State::over) return;
  auto frame = wire::encode_frame(message);
  if (!frame) return log::error("{}: {}", agent_, frame.error().message);
  if (frames_.size() >= frames_max || frames_bytes_ + frame->size() > frames_bytes_max) {
    return abort("it does not read what is sent to it");
  }
  frames_bytes_ += frame->size();
  frames_.push_back(std::move(*frame));
  pump();
}

void Session::pump() {
  while (!frames_.empty() && connection_->is_open() && connection_->pending_bytes() == 0) {
    const std::string frame = std::move(frames_.front());
    frames_.pop_front();
    frames_bytes_ -= frame.size();
    if (!connection_->write(frame)) return;
  }
}

void Session::arm_beat() {
  timer_.expires_after(core_->options().beat);
  timer_.async_wait([self = shared_from_this()](std::error_code stopped) {
    if (!stopped) self->guarded([&] { self->on_beat(); });
  });
}

void Session::on_beat() {
  if (state_ != State::up) return;
  missed_ = std::exchange(heard_, false) ? 0 : missed_ + 1;
  if (missed_ >= wire::beats_missed_max) return abort("silent for three heartbeats");
  send(wire::beat());
  arm_beat();
}

void Session::refuse(std::string_view kind, std::string_view code, std::string reason) {
  core_->report(agent_, kind, fmt::format("{}: {}; session closed", address(), reason));
  end(code, std::move(reason));
}

void Session::end(std::string_view code, std::string reason) {
  if (state_ == State::over) return;
  // A session ends for one reason; what still waits for it is dropped with it.
  frames_.clear();
  frames_bytes_ = 0;
  send_urgent(wire::encode(wire::Bye{std::string(code), reason}));
  const bool was_known = state_ != State::newcomer;
  state_ = State::over;
  timer_.cancel();
  if (was_known) core_->left(shared_from_this(), reason);
  connection_->close(std::move(reason));
}

void Session::abort(std::string reason) {
  connection_->abort({ErrorCode::unavailable, std::move(reason)});
}

void Session::on_closed(const Error& reason) {
  state_ = State::over;
  timer_.cancel();
  if (reason.code == ErrorCode::internal) log::error("{}: {}", agent_, reason.message);
  if (reason.code == ErrorCode::not_allowed || reason.code == ErrorCode::bad_input) {
    core_->report(agent_, "bad_tls", fmt::format("{}: {}", address(), reason.message));
  }
  core_->left(shared_from_this(), reason.message);
}

}  // namespace firebreak::coordinator
