#include "coordinator/hub/hub_core.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/identity/authority.h"
#include "common/identity/time_floor.h"
#include "common/log/log.h"

namespace firebreak::coordinator {
namespace {

using asio::ip::tcp;

/// A newcomer may be put out for another one after this time; an honest handshake takes 20 ms.
constexpr std::chrono::seconds newcomer_grace{2};
constexpr std::chrono::seconds tick_interval{1};

}  // namespace

HubCore::HubCore(asio::io_context& io, Hub::Ports ports, HubOptions options)
    : io_(io),
      strand_(asio::make_strand(io)),
      ports_(ports),
      options_(std::move(options)),
      acceptor_(strand_),
      accept_timer_(strand_),
      tick_timer_(strand_),
      roots_(options_.roots_pem.empty() ? ports_.authority.certificate_pem() : options_.roots_pem),
      reports_left_(reports_per_minute) {}

Result<void> HubCore::listen() {
  tls::ServerOptions server;
  server.credentials = options_.credentials;
  server.client_certificates = tls::ClientCertificates::optional;
  server.client_ca_pem = roots_;
  server.now = [&time = ports_.time] { return time.now(); };
  server.expired_client_grace = identity::renewal_grace;
  auto context = tls::Context::server(std::move(server));
  if (!context) return fail(context.error().within("agent hub"));
  tls_ = std::move(*context);
  epoch_ = ports_.events.epoch();

  std::error_code code;
  const auto address = asio::ip::make_address(options_.listen, code);
  if (code)
    return fail(ErrorCode::bad_input, "agents.listen: '" + options_.listen + "' is no address");
  const tcp::endpoint endpoint(address, options_.port);
  acceptor_.open(endpoint.protocol(), code);
  if (!code) acceptor_.set_option(tcp::acceptor::reuse_address(true), code);
  if (!code) acceptor_.bind(endpoint, code);
  if (!code) acceptor_.listen(asio::socket_base::max_listen_connections, code);
  if (code) {
    return fail(ErrorCode::unavailable,
                fmt::format("agents: {} port {} cannot be listened on: {}", options_.listen,
                            options_.port, code.message()));
  }
  port_ = acceptor_.local_endpoint(code).port();
  asio::post(strand_, [self = shared_from_this()] {
    self->accept();
    self->arm_tick();
  });
  return {};
}

void HubCore::stop() {
  asio::post(strand_, [self = shared_from_this()] {
    self->stopping_ = true;
    std::error_code ignored;
    self->acceptor_.close(ignored);
    self->accept_timer_.cancel();
    self->tick_timer_.cancel();
    const auto sessions = self->sessions_;
    for (const auto& session : sessions) session->end("shutdown", "the coordinator stops");
  });
}

void HubCore::join() { worker_.join(); }

void HubCore::accept() {
  if (stopping_ || accepting_) return;
  make_room();
  const auto newcomers = std::count_if(sessions_.begin(), sessions_.end(),
                                       [](const auto& s) { return s->is_newcomer(); });
  if (static_cast<std::size_t>(newcomers) >= options_.newcomers_max) {
    accept_timer_.expires_after(std::chrono::milliseconds{50});
    accept_timer_.async_wait([self = shared_from_this()](std::error_code stopped) {
      if (!stopped) self->accept();
    });
    return;
  }
  accepting_ = true;
  acceptor_.async_accept(strand_,
                         [self = shared_from_this()](std::error_code code, tcp::socket socket) {
                           self->on_accepted(code, std::move(socket));
                         });
}

/// Somebody who opens connections and says nothing must not keep agents out: when all places are
/// taken, the oldest that has had its time goes.
void HubCore::make_room() {
  std::shared_ptr<Session> oldest;
  std::size_t newcomers = 0;
  for (const auto& session : sessions_) {
    if (!session->is_newcomer()) continue;
    ++newcomers;
    if (!oldest || session->began() < oldest->began()) oldest = session;
  }
  if (newcomers < options_.newcomers_max || !oldest ||
      std::chrono::steady_clock::now() - oldest->began() < newcomer_grace) {
    return;
  }
  sessions_.erase(oldest);
  oldest->abort("too slow while others wait");
}

void HubCore::on_accepted(std::error_code code, tcp::socket socket) {
  accepting_ = false;
  if (stopping_) return;
  if (code) {
    // Out of descriptors: waiting a little is all that helps.
    log::warning("agents: a connection cannot be accepted: {}", code.message());
    accept_timer_.expires_after(std::chrono::milliseconds{200});
    accept_timer_.async_wait([self = shared_from_this()](std::error_code stopped) {
      if (!stopped) self->accept();
    });
    return;
  }
  // A small kernel buffer: what is in it cannot be overtaken by a stop.
  std::error_code ignored;
  socket.set_option(tcp::socket::send_buffer_size(64 * 1024), ignored);
  try {
    sessions_.insert(Session::start(shared_from_this(), std::move(socket)));
  } catch (const std::exception& e) {
    log::error("agents: a connection is dropped: {}", e.what());
  }
  accept();
}

void HubCore::admit(const std::shared_ptr<Session>& session) {
  notice_clone(*session);
  const auto found = agents_.find(session->agent());
  if (found == agents_.end()) return;
  const auto older = found->second;
  agents_.erase(found);
  older->end("replaced", "a newer session of this agent");
}

void HubCore::ready(const std::shared_ptr<Session>& session) {
  const std::string& agent = session->agent();
  agents_[agent] = session;
  {
    const std::scoped_lock lock(connected_mutex_);
    connected_.insert(agent);
  }
  for (const OpenStop& stop : stops_.of_agent(agent)) send_stop_to(stop);
}

/// An uplink that was displaced by another one and comes back is alive beside it: one key, two
/// processes. A restarted uplink has a new instance, so it cannot look like this.
void HubCore::notice_clone(Session& session) {
  Instances& instances = instances_[session.agent()];
  if (instances.present == session.instance()) return;
  const auto& displaced = instances.displaced;
  if (std::find(displaced.begin(), displaced.end(), session.instance()) != displaced.end() &&
      cloned_.insert(session.agent()).second) {
    report(session.agent(), "cloned_key",
           "two processes use the key of '" + session.agent() +
               "'; it gets no command but stop until it is revoked or enrolled anew");
  }
  if (!instances.present.empty()) instances.displaced.push_back(instances.present);
  if (instances.displaced.size() > 8) instances.displaced.pop_front();
  instances.present = session.instance();
}

void HubCore::forget_clone(const std::string& agent) {
  cloned_.erase(agent);
  instances_.erase(agent);
}

bool HubCore::may_renew_ended(const Session& session) {
  const std::string& agent = session.agent();
  const identity::Fingerprint shown = session.certificate();
  {
    const std::scoped_lock lock(renewals_mutex_);
    Renewal& renewal = renewals_[agent];
    const bool same = renewal.certificate == shown;
    const bool approved = same && renewal.approved_until;
    if (approved && ports_.clock.now() < *renewal.approved_until) return true;
    if (same && !approved) return false;  // It was told before.
    renewal = {shown, std::nullopt};
  }
  report(agent, "renewal_waits",
         "the certificate of '" + agent +
             "' has ended; it may only renew, and waits for: firebreak agents approve " + agent);
  ports_.fleet.renewal_waits(agent, true);
  return false;
}

bool HubCore::approve_renewal(const std::string& agent) {
  const std::scoped_lock lock(renewals_mutex_);
  const auto found = renewals_.find(agent);
  if (found == renewals_.end()) return false;
  found->second.approved_until = ports_.clock.now() + approval_life;
  return true;
}

void HubCore::forget_renewal(const std::string& agent) {
  {
    const std::scoped_lock lock(renewals_mutex_);
    if (renewals_.erase(agent) == 0) return;
  }
  ports_.fleet.renewal_waits(agent, false);
}

void HubCore::left(const std::shared_ptr<Session>& session, const std::string& reason) {
  sessions_.erase(session);
  const auto found = agents_.find(session->agent());
  if (found == agents_.end() || found->second != session) return;
  const std::string agent = session->agent();
  agents_.erase(found);
  {
    const std::scoped_lock lock(connected_mutex_);
    connected_.erase(agent);
  }
  log::info("{} disconnected: {}", agent, reason);
  ports_.fleet.agent_disconnected(agent, reason);
  for (auto at = commands_.begin(); at != commands_.end();) {
    if (at->second.agent != agent) {
      ++at;
      continue;
    }
    const PendingCommand pending = std::move(at->second);
    at = commands_.erase(at);
    fail_command(pending.operation, agent, "the connection was lost before it answered", false,
                 !pending.grant.has_value());
  }
}

Session* HubCore::up(const std::string& agent) {
  const auto found = agents_.find(agent);
  return found != agents_.end() && found->second->is_up() ? found->second.get() : nullptr;
}

void HubCore::cut_off(const std::string& agent, const std::string& reason) {
  forget_renewal(agent);
  // Every session that claims the name, also one that is being checked at this moment.
  const auto sessions = sessions_;
  for (const auto& session : sessions) {
    if (session->agent() == agent) session->end("revoked", reason);
  }
  for (const OpenStop& stop : stops_.take_agent(agent)) give_up(stop, "its agent was " + reason);
}

void HubCore::tell_durable(const std::string& agent, const LogPosition& position) {
  if (Session* session = up(agent)) {
    session->send(wire::encode(
        wire::Receipt{{position.log, position.stored, position.durable}, 0, std::string{}}));
  }
}

std::vector<std::string> HubCore::connected() const {
  const std::scoped_lock lock(connected_mutex_);
  return {connected_.begin(), connected_.end()};
}

void HubCore::report(const std::string& agent, std::string_view kind, const std::string& text) {
  if (reports_left_ <= 0) {
    ++reports_dropped_;
    return;
  }
  --reports_left_;
  log::warning("{}{}{}", agent, agent.empty() ? "" : ": ", text);
  ports_.fleet.security_event(agent, kind, text);
}

void HubCore::arm_tick() {
  if (stopping_) return;
  tick_timer_.expires_after(tick_interval);
  tick_timer_.async_wait([self = shared_from_this()](std::error_code stopped) {
    if (!stopped) self->tick();
  });
}

}  // namespace firebreak::coordinator
