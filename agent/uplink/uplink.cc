#include "agent/uplink/uplink.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "agent/uplink/discovery/known_printers.h"
#include "agent/uplink/discovery/scan.h"
#include "agent/uplink/guard_answer.h"
#include "common/base/hex.h"
#include "common/identity/authority.h"
#include "common/identity/bytes.h"
#include "common/identity/key.h"
#include "common/log/log.h"

namespace firebreak::uplink {
namespace {

using nlohmann::json;

constexpr const char* software = "firebreak-uplink " FIREBREAK_VERSION;
constexpr std::chrono::seconds guard_deadline{3};
/// Own events a minute that may enter the black box; a coordinator gone mad cannot fill it.
constexpr int records_per_minute = 30;
/// A certificate is renewed when this much of its life is left: a third.
constexpr int renewal_fraction = 3;

}  // namespace

std::shared_ptr<Uplink> Uplink::create(asio::io_context& io, const Clock& clock, Settings settings,
                                       Rhythm rhythm) {
  return std::shared_ptr<Uplink>(new Uplink(io, clock, std::move(settings), rhythm));
}

Uplink::Uplink(asio::io_context& io, const Clock& clock, Settings settings, Rhythm rhythm)
    : io_(io),
      clock_(clock),
      settings_(std::move(settings)),
      rhythm_(rhythm),
      files_(settings_.state_dir),
      time_(clock, files_.time_file()),
      memory_(files_.load_memory()),
      instance_(to_hex(identity::random_bytes<16>())),
      gate_(nonces_, memory_.epoch),
      readings_(GuardClient::create(io, settings_.guard_socket)),
      events_(GuardClient::create(io, settings_.guard_socket)),
      stops_(GuardClient::create(io, settings_.guard_socket)),
      errands_(io),
      poll_timer_(io),
      house_timer_(io) {}

Result<void> Uplink::start() {
  if (auto loaded = time_.load(); !loaded) log::warning("{}", loaded.error().message);
  auto own = files_.load_identity();
  if (!own) return fail(own.error());
  own_ = std::move(*own);
  if (own_.certificate.common_name != settings_.agent) {
    return fail(ErrorCode::bad_input, "the certificate is of agent '" +
                                          own_.certificate.common_name +
                                          "', the configuration of '" + settings_.agent +
                                          "'; enroll anew or correct the name");
  }
  auto tls = make_tls(own_);
  if (!tls) return fail(tls.error());

  LinkOptions options;
  options.host = settings_.host.empty() ? memory_.host : settings_.host;
  options.port = settings_.host.empty() ? memory_.port : settings_.port;
  options.reconnect_min = settings_.reconnect_min;
  options.reconnect_max = settings_.reconnect_max;
  options.silence_max = rhythm_.silence_max;
  if (options.host.empty() || options.port == 0) {
    return fail(ErrorCode::bad_input,
                "no coordinator is configured; add 'coordinator: {host, port}'");
  }
  std::weak_ptr<Uplink> weak = weak_from_this();
  runner_ = StopRunner::create(io_, clock_, stops_, [weak](const wire::CommandResult& result) {
    if (auto self = weak.lock(); self && self->link_)
      self->link_->send_answer(wire::encode(result));
  });
  EventPump::Handlers pump;
  pump.send = [weak](const wire::Events& batch) {
    if (auto self = weak.lock()) self->link_->send(wire::encode(batch));
  };
  pump.complain = [](const std::string& text) { log::error("{}", text); };
  pump_ = EventPump::create(io_, events_, readings_, std::move(pump));
  link_ = CoordinatorLink::create(io_, std::move(options), std::move(*tls), link_handlers());
  link_->start();
  poll();
  housekeeping();
  return {};
}

void Uplink::stop() {
  if (std::exchange(stopped_, true)) return;
  poll_timer_.cancel();
  house_timer_.cancel();
  if (pump_) pump_->stop();
  if (runner_) runner_->stop();
  if (link_) link_->stop();
  errands_.stop();
  readings_->close();
  events_->close();
  stops_->close();
  if (auto saved = time_.save(); !saved) log::warning("{}", saved.error().message);
}

Result<std::shared_ptr<tls::Context>> Uplink::make_tls(const Identity& own) {
  tls::ClientOptions options;
  options.server_name = identity::coordinator_server_name;
  options.ca_pem = own.authority_pem;
  options.credentials = own.credentials;
  options.now = [this] { return time_.now(); };
  return tls::Context::client(std::move(options));
}

LinkHandlers Uplink::link_handlers() {
  LinkHandlers handlers;
  auto self = shared_from_this();
  handlers.hello = [self] { return self->hello(); };
  handlers.up = [self](const wire::Welcome& welcome) { self->on_up(welcome); };
  handlers.down = [self](const std::string& reason, bool was_up) { self->on_down(reason, was_up); };
  handlers.message = [self](const std::string& type, json message) {
    return self->on_message(type, std::move(message));
  };
  handlers.telemetry = [self] { return self->telemetry(); };
  return handlers;
}

wire::Hello Uplink::hello() const {
  wire::Hello hello;
  hello.agent = settings_.agent;
  hello.software = software;
  hello.boot = guard_boot_;
  hello.instance = instance_;
  hello.logs = pump_->marks();
  hello.roots = to_hex(identity::sha256(own_.authority_pem));
  return hello;
}

void Uplink::on_up(const wire::Welcome& welcome) {
  log::info("connected to the coordinator, epoch {}{}", welcome.epoch,
            link_->resumed() ? " (resumed)" : "");
  const WallTime told{std::chrono::milliseconds{welcome.wall_ms}};
  // A time beyond our own certificate, which was good a moment ago, is a lie: believed, it would
  // make every certificate look ended.
  if (told <= own_.certificate.not_after) time_.raise(told);
  if (!gate_.greet(welcome.epoch)) {
    record("network", "alarm",
           "the coordinator went back in time: its epoch is older than the one seen before; its "
           "commands other than stop are refused",
           {{"epoch", welcome.epoch}, {"seen", gate_.epoch()}});
  } else if (memory_.epoch != gate_.epoch() || memory_.head != welcome.head) {
    memory_.epoch = gate_.epoch();
    memory_.head = welcome.head;
    if (auto saved = files_.save_memory(memory_); !saved) {
      log::warning("{}", saved.error().message);
    }
  }
  record("network", "info", "connected to the coordinator", {{"resumed", link_->resumed()}});
  pump_->begin(welcome.receipts);
  if (!welcome.roots.empty() && welcome.roots != own_.authority_pem) take_roots(welcome.roots);
  if (wants_renewal()) renew();
}

void Uplink::on_down(const std::string& reason, bool was_up) {
  log::info("{}: {}", was_up ? "disconnected" : "no session", reason);
  pump_->halt();
  new_key_pem_.clear();
  if (was_up) {
    record("network", "warning", "disconnected from the coordinator",
           {{"why", reason.substr(0, 100)}});
  }
}

Result<void> Uplink::on_message(const std::string& type, json message) {
  if (type == "receipt") {
    auto receipt = wire::parse_receipt(message);
    if (!receipt) return fail(receipt.error());
    if (!receipt->head.empty()) memory_.head = receipt->head;
    return pump_->on_receipt(*receipt);
  }
  if (type == "command") {
    auto command = wire::parse_command(message);
    if (!command) return fail(command.error());
    on_command(*command);
    return {};
  }
  if (type == "renew_required") {
    log::warning("the coordinator wants this agent's certificate to be renewed");
    renew();
    return {};
  }
  if (type == "renewed") return on_renewed(message);
  return fail(ErrorCode::bad_input, "'" + type.substr(0, 32) + "' is no message of a coordinator");
}

void Uplink::on_command(const wire::Command& command) {
  if (auto judged = gate_.judge(command, clock_.now()); !judged) {
    return refuse(command, judged.error().message);
  }
  if (command.verb == "stop") return runner_->run(command);
  const auto text = [&command](const char* name) { return text_of(command.arguments, name); };
  if (command.verb == "challenge") {
    return carry(command, {{"do", "challenge"}, {"printer", text("printer")}});
  }
  if (command.verb == "grant") {
    return carry(command, {{"do", "grant"},
                           {"printer", text("printer")},
                           {"action", text("action")},
                           {"challenge", text("challenge")},
                           {"signature", text("signature")},
                           {"who", text("who")}});
  }
  if (command.verb == "scan" || command.verb == "diagnose") return run_errand(command);
  refuse(command, "this agent does not know '" + command.verb + "'");
}

HostView Uplink::host_view() const {
  return {known_printers(status_, settings_.printers), settings_.printers, guard_problem_, {}};
}

Result<Errands::Work> Uplink::errand_of(const wire::Command& command) {
  if (command.verb == "scan") {
    auto order = read_scan_order(command.arguments);
    if (!order) return fail(order.error());
    return [order = std::move(*order),
            known = host_view().printers](const Cancelled& cancelled) -> Result<json> {
      return scan(order, known, cancelled);
    };
  }
  const auto fix = command.arguments.find("fix");
  const DiagnoseOrder order{text_of(command.arguments, "printer"),
                            fix != command.arguments.end() && *fix == true};
  return [order, view = host_view()](const Cancelled& cancelled) {
    return diagnose(order, view, cancelled);
  };
}

void Uplink::run_errand(const wire::Command& command) {
  auto work = errand_of(command);
  if (!work) return refuse(command, work.error().message);
  // No reference of our own: the errand ends before this object does.
  const auto done = [this, id = command.id](Result<json> answer) {
    if (!link_ || stopped_) return;
    wire::CommandResult result;
    result.id = id;
    if (answer)
      result.data = std::move(*answer);
    else
      result.error = answer.error().message;
    link_->send_answer(wire::encode(result));
  };
  if (!errands_.start(std::move(*work), done))
    refuse(command, "another scan or diagnosis is under way here; try again when it has ended");
}

void Uplink::carry(const wire::Command& command, json question) {
  readings_->ask(question, guard_deadline,
                 [self = shared_from_this(), command](Result<json> answer) {
                   wire::CommandResult result;
                   result.id = command.id;
                   if (!answer) {
                     result.error = "the guard does not answer: " + answer.error().message;
                   } else if (!is_ok(answer)) {
                     result.refused = true;
                     result.error = "the guard refuses: " + text_of(*answer, "message");
                   } else {
                     result.data = std::move(*answer);
                     result.data.erase("ok");
                   }
                   if (self->link_ && !self->stopped_) {
                     self->link_->send_answer(wire::encode(result));
                   }
                 });
}

void Uplink::refuse(const wire::Command& command, const std::string& reason) {
  record("command", "warning", "a command of the coordinator was refused: " + reason,
         {{"id", command.id}, {"do", command.verb}});
  wire::CommandResult result;
  result.id = command.id;
  result.refused = true;
  result.error = reason;
  link_->send_answer(wire::encode(result));
}

void Uplink::arm_poll() {
  if (stopped_) return;
  poll_timer_.expires_after(runner_->following() ? StopRunner::follow_interval : rhythm_.telemetry);
  poll_timer_.async_wait([self = shared_from_this()](std::error_code stopped) {
    if (!stopped) self->poll();
  });
}

void Uplink::poll() {
  readings_->ask({{"do", "status"}}, guard_deadline, [self = shared_from_this()](auto status) {
    if (self->stopped_) return;
    self->arm_poll();  // First: nothing that an answer holds may end the polling.
    self->on_status(std::move(status));
  });
}

void Uplink::on_status(Result<json> status) {
  const bool good = is_ok(status);
  if (good) {
    runner_->on_status(*status);
    const auto boot = status->find("boot");
    if (boot != status->end() && boot->is_string())
      guard_boot_ = boot->get<std::string>().substr(0, 64);
    status->erase("ok");
    status_ = std::move(*status);
    guard_problem_.clear();
  } else {
    const std::string problem = status ? "it answers with an error" : status.error().message;
    if (guard_problem_.empty()) log::warning("the guard is unreachable: {}", problem);
    guard_problem_ = problem;
    // Old readings are not repeated: what is not known is not shown.
    status_ = json::object();
  }
  status_["uplink"] = {
      {"guard", good ? "ok" : "unreachable"},
      {"guard_problem", good ? json() : json(guard_problem_)},
      {"software", software},
      {"instance", instance_},
      {"certificate_until_ms", own_.certificate.not_after.time_since_epoch().count()}};
  // While a stop is followed the guard is asked ten times a second; telemetry keeps its rhythm.
  if (runner_->following() && ++polls_ * StopRunner::follow_interval < rhythm_.telemetry) return;
  polls_ = 0;
  status_new_ = true;
  link_->wake();
}

json Uplink::telemetry() {
  if (!status_new_) return nullptr;
  status_new_ = false;
  wire::Telemetry message;
  message.seq = ++telemetry_seq_;
  message.nonce = nonces_.issue(clock_.now());
  message.status = status_;
  return wire::encode(message);
}

void Uplink::record(std::string_view kind, std::string_view severity, const std::string& text,
                    json data) {
  const MonotonicTime now = clock_.now();
  if (now - records_since_ >= std::chrono::minutes{1}) {
    records_since_ = now;
    records_ = 0;
  }
  if (++records_ > records_per_minute) return;
  log::info("{}", text);
  readings_->ask({{"do", "event"},
                  {"kind", kind},
                  {"severity", severity},
                  {"printer", nullptr},
                  {"text", text.substr(0, 170)},
                  {"data", std::move(data)}},
                 guard_deadline, [](const Result<json>& answer) {
                   if (!answer)
                     log::warning("an event was not recorded: {}", answer.error().message);
                 });
}

void Uplink::housekeeping() {
  if (stopped_) return;
  if (auto saved = time_.save(); !saved) log::warning("{}", saved.error().message);
  if (is_up() && wants_renewal()) renew();
  house_timer_.expires_after(rhythm_.housekeeping);
  house_timer_.async_wait([self = shared_from_this()](std::error_code stopped) {
    if (!stopped) self->housekeeping();
  });
}

/// The coordinator rolls its authority: the roots of tomorrow come over a session that a root of
/// today has proved. One of today's must be among them, so that no slip can lock this agent out.
void Uplink::take_roots(const std::string& pem) {
  const auto today = identity::read_certificates(own_.authority_pem);
  const auto told = identity::read_certificates(pem);
  const auto known = [&](const identity::CertificateInfo& root) {
    return today && std::any_of(today->begin(), today->end(), [&](const auto& one) {
             return one.fingerprint == root.fingerprint;
           });
  };
  const bool good =
      told && std::any_of(told->begin(), told->end(), known) &&
      std::all_of(told->begin(), told->end(), [](const auto& root) { return root.is_authority; });
  if (!good) return log::error("the coordinator told roots that cannot be taken over; kept ours");
  Identity next = own_;
  next.authority_pem = pem;
  auto tls = make_tls(next);
  if (!tls) return log::error("the coordinator's roots: {}", tls.error().message);
  if (auto saved = files_.save_authority(pem); !saved)
    return log::error("the coordinator's roots cannot be saved: {}", saved.error().message);
  own_ = std::move(next);
  record("network", "info", "the coordinator's roots of trust have changed",
         {{"roots", told->size()}});
  link_->use(std::move(*tls), true);
}

bool Uplink::wants_renewal() const {
  const auto& certificate = own_.certificate;
  const auto life = certificate.not_after - certificate.not_before;
  return time_.now() >= certificate.not_after - life / renewal_fraction;
}

/// A new key each time: the old one never lives longer than its certificate.
void Uplink::renew() {
  if (!new_key_pem_.empty()) return;
  auto key = identity::generate_key_pem();
  auto request = key ? identity::make_signing_request(*key, settings_.agent) : key;
  if (!request) return log::error("renewal: {}", request.error().message);
  new_key_pem_ = std::move(*key);
  link_->send(wire::encode(wire::Renew{std::move(*request)}));
}

Result<void> Uplink::on_renewed(const json& message) {
  auto renewed = wire::parse_renewed(message);
  if (!renewed) return fail(renewed.error());
  auto certificate = identity::read_certificate(renewed->certificate_pem);
  if (new_key_pem_.empty() || !certificate || certificate->common_name != settings_.agent ||
      !identity::key_fits_certificate(new_key_pem_, renewed->certificate_pem)) {
    return fail(ErrorCode::bad_input, "renewed: not a certificate for the key that was sent");
  }
  if (auto saved = files_.save_identity(new_key_pem_, renewed->certificate_pem); !saved) {
    // The old one stays in use; the next round tries again.
    new_key_pem_.clear();
    log::error("the renewed certificate cannot be saved: {}", saved.error().message);
    return {};
  }
  own_.credentials = {renewed->certificate_pem, std::exchange(new_key_pem_, {})};
  own_.certificate = std::move(*certificate);
  auto tls = make_tls(own_);
  if (!tls) return fail(tls.error());
  record("network", "info", "this agent's certificate was renewed", json::object());
  link_->use(std::move(*tls), true);
  return {};
}

}  // namespace firebreak::uplink
