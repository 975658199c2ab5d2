#include "coordinator/app/app.h"

#include <fmt/core.h>
#include <sodium.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <asio.hpp>
#include <thread>

#include "common/identity/private_file.h"
#include "common/identity/time_floor.h"
#include "common/wire/enrolment_token.h"
#include "coordinator/api/api.h"
#include "coordinator/app/roll_authority.h"
#include "coordinator/app/secrets.h"
#include "coordinator/app/state_lock.h"
#include "coordinator/front_door/front_door.h"
#include "coordinator/hub/hub.h"

namespace firebreak::coordinator {

namespace {

Result<void> make_state_dir(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error)
    return fail(ErrorCode::unavailable, folder.string() + " cannot be made: " + error.message());
  if (::chmod(folder.c_str(), 0700) != 0)
    return fail(ErrorCode::unavailable, folder.string() + " cannot be made private");
  return {};
}

/// A clock that is further behind the time floor than this is worth a word.
constexpr std::chrono::hours clock_tolerance{1};
constexpr std::chrono::days clock_jump_max{1};

/// Every connection is a descriptor; the soft limit of 1024 would end the farm at 1000 agents.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

std::vector<std::string> http_names(const Settings& settings) {
  std::vector<std::string> out{"localhost", "127.0.0.1", "::1"};
  const auto add = [&](const std::string& name) {
    if (!name.empty() && std::find(out.begin(), out.end(), name) == out.end()) out.push_back(name);
  };
  add(host_name());
  if (settings.http_listen != "0.0.0.0" && settings.http_listen != "::") add(settings.http_listen);
  for (const std::string& name : settings.http_names) add(name);
  return out;
}

}  // namespace

/// Carries operations to the hub, which is made after them.
class HubLink final : public AgentLink {
 public:
  Hub* hub = nullptr;
  void send_stop(std::vector<StopTarget> targets, std::string operation, std::string who,
                 std::chrono::seconds within) override {
    if (hub != nullptr)
      hub->send_stop(std::move(targets), std::move(operation), std::move(who), within);
  }
  void send_grant(GrantRequest request) override {
    if (hub != nullptr) hub->send_grant(std::move(request));
  }
  void send_command(std::string agent, std::string operation, std::string verb,
                    std::string arguments, std::chrono::milliseconds ttl) override {
    if (hub != nullptr)
      hub->send_command(std::move(agent), std::move(operation), std::move(verb),
                        std::move(arguments), ttl);
  }
};

struct App::Parts {
  explicit Parts(const Settings& given, const Clock& clock)
      : settings(given),
        system(clock),
        time(clock, (given.state_dir / "time").string()),
        clock(system, time),
        tokens(this->clock) {}

  Settings settings;
  StateLock lock;
  const Clock& system;
  identity::TimeFloor time;
  identity::FlooredClock clock;  ///< What every part is given.
  TokenBook tokens;
  std::optional<identity::Authority> authority;
  std::optional<ResetKey> reset_key;
  std::unique_ptr<SqliteStore> store;
  std::unique_ptr<FleetState> fleet;
  HubLink link;
  std::unique_ptr<Operations> operations;
  std::unique_ptr<Inquiries> inquiries;
  asio::io_context agents_io{1};
  asio::io_context door_io{1};
  std::optional<asio::steady_timer> ticker;
  std::size_t ticks = 0;
  bool clock_went_back = false;
  int minutes_ahead = 0;
  std::unique_ptr<Hub> hub;
  std::unique_ptr<Api> api;
  std::unique_ptr<FrontDoor> door;
  std::thread agents_thread;
  std::thread door_thread;

  Result<void> open_store();
  Result<void> first_token();
  Result<void> start_hub();
  Result<void> start_door();
  void keep_time();
  void tick();
  void run(asio::io_context& io, const char* name);
};

Result<void> App::Parts::open_store() {
  auto audit_key = load_or_create_audit_key(settings.state_dir / "audit.key");
  if (!audit_key) return fail(audit_key.error());
  auto opened = SqliteStore::open(
      {settings.state_dir / "coordinator.db", *audit_key, settings.durable_means, {}}, clock);
  if (!opened) return fail(opened.error());
  store = std::move(*opened);
  auto rows = store->tokens();
  if (!rows) return fail(rows.error());
  tokens.load(*rows);
  if (rows->empty())
    if (auto made = first_token(); !made) return made;
  fleet = std::make_unique<FleetState>(clock, *store);
  return fleet->load();
}

Result<void> App::Parts::first_token() {
  const std::string file = settings.state_dir / "admin.token";
  const NewToken made = make_token("first admin", true, all_scopes,
                                   clock.wall().time_since_epoch().count(), std::nullopt);
  // The file first: a token that is in the store alone would be the last one, and nobody's.
  if (auto kept = identity::write_private_file(file, made.text + "\n"); !kept) return kept;
  if (auto stored = store->add_token(made.row, "coordinator"); !stored) return stored;
  tokens.put(made.row);
  log::info("the first admin token is in {} (mode 0600); log in with it: firebreak login", file);
  return {};
}

Result<void> App::Parts::start_hub() {
  auto credentials = load_or_issue_server(settings.state_dir, "agents", *authority, {}, time.now());
  if (!credentials) return fail(credentials.error().within("agents' certificate"));
  HubOptions options;
  options.listen = settings.agents_listen;
  options.port = settings.agents_port;
  options.credentials = std::move(*credentials);
  options.sign_grant = [this](std::span<const std::uint8_t> m) { return reset_key->sign(m); };
  options.reset_public_key = reset_key->public_key();
  auto roots = trusted_roots(settings.state_dir, *authority);
  if (!roots) return fail(roots.error());
  options.roots_pem = std::move(*roots);
  hub = std::make_unique<Hub>(
      agents_io, Hub::Ports{store->registry(), store->sink(), *fleet, *authority, time, clock},
      std::move(options));
  if (auto started = hub->start(); !started) return started;
  link.hub = hub.get();
  log::info("agents connect to {} port {}", settings.agents_listen, hub->port());
  return {};
}

Result<void> App::Parts::start_door() {
  auto credentials = load_or_issue_server(settings.state_dir, "http", *authority,
                                          http_names(settings), time.now());
  if (!credentials) return fail(credentials.error().within("HTTP certificate"));
  tls::ServerOptions server;
  server.credentials = std::move(*credentials);
  auto context = tls::Context::server(std::move(server));
  if (!context) return fail(context.error().within("HTTP"));
  ApiParts parts{clock, *store, *fleet, *operations, *inquiries, tokens, settings.durable_means,
                 {},    {},     {},     {},          {}};
  parts.approve_renewal = [this](const std::string& agent) { return hub->approve_renewal(agent); };
  parts.enrolment_text = [this](const std::string& agent, const chain::Digest& secret) {
    wire::EnrolmentToken token;
    token.host = settings.agents_advertise;
    token.port = hub->port();
    token.authority = authority->certificate().fingerprint;
    token.secret = secret;
    token.agent = agent;
    return wire::encode_token(token);
  };
  parts.cut_off = [this](const std::string& agent) {
    const bool connected = fleet->connected(agent);
    hub->cut_off(agent, "revoked");
    return connected;
  };
  parts.agents_listening = [this] { return hub != nullptr && hub->port() != 0; };
  parts.more_metrics = [this] {
    return fmt::format(
        "# HELP firebreak_http_connections Open connections.\n"
        "# TYPE firebreak_http_connections gauge\nfirebreak_http_connections {}\n"
        "# HELP firebreak_http_streams Open event streams.\n"
        "# TYPE firebreak_http_streams gauge\nfirebreak_http_streams {}\n",
        door->connections(), door->streams());
  };
  api = std::make_unique<Api>(std::move(parts));
  FrontDoorOptions options;
  options.listen = settings.http_listen;
  options.port = settings.http_port;
  options.connections_max = settings.http_connections_max;
  options.workers = settings.http_workers;
  door = std::make_unique<FrontDoor>(door_io, *api, options);
  store->on_events([this] { door->wake_streams(); });
  operations->on_change([this] { door->wake_streams(); });
  if (auto started = door->start(*context); !started) return started;
  log::info("people connect to https://{}:{}", settings.http_listen, door->port());
  return {};
}

/// Keeps the time floor, and says when the clock of this machine does not fit it. A clock that
/// jumps far ahead would end every certificate for ever: it is believed when it has kept that time
/// for an hour.
void App::Parts::keep_time() {
  const auto behind = time.now() - system.wall();
  const bool jumped = ticks > 0 && -behind > clock_jump_max;
  minutes_ahead = jumped ? minutes_ahead + 1 : 0;
  if (jumped && minutes_ahead == 1)
    log::warning("the clock of this machine jumped ahead by {} days; believed in an hour",
                 std::chrono::duration_cast<std::chrono::days>(-behind).count());
  if (!jumped || minutes_ahead >= 60) time.raise(system.wall());
  if (auto saved = time.save(); !saved) log::warning("{}", saved.error().message);
  const bool odd = behind > clock_tolerance;
  if (odd && !clock_went_back)
    log::warning(
        "the clock of this machine is {} min behind the time that was seen before; the later one "
        "counts for certificates and tokens (docs/configuration.md, \"Time\")",
        std::chrono::duration_cast<std::chrono::minutes>(behind).count());
  clock_went_back = odd;
}

void App::Parts::tick() {
  ticker->expires_after(std::chrono::seconds{1});
  ticker->async_wait([this](const std::error_code& error) {
    if (!error) tick();
  });
  operations->tick();
  if (++ticks % 60 == 0) keep_time();
}

/// The last net: every session and connection has its own. What still gets here has lost one
/// handler, not the process that carries stops.
void App::Parts::run(asio::io_context& io, const char* name) {
  const auto work = asio::make_work_guard(io);
  while (true) {
    try {
      io.run();
      return;
    } catch (const std::exception& e) {
      log::error("{}: a mistake of ours was caught: {}", name, e.what());
    }
  }
}

App::App(const Clock& clock) : clock_(clock) {}

App::~App() { stop(); }

Result<void> App::start(const Settings& settings) {
  if (sodium_init() < 0) return fail(ErrorCode::internal, "libsodium does not start");
  ::umask(077);
  raise_descriptor_limit();
  log::init("firebreak-coordinator", settings.log_level);
  if (auto made = make_state_dir(settings.state_dir); !made) return made;
  parts_ = std::make_unique<Parts>(settings, clock_);
  Parts& p = *parts_;
  if (auto locked = p.lock.take(settings.state_dir); !locked) return locked;
  if (auto loaded = p.time.load(); !loaded) log::warning("{}", loaded.error().message);
  p.keep_time();
  auto authority = load_or_create_authority(settings.state_dir, p.time.now());
  if (!authority) return fail(authority.error());
  p.authority.emplace(std::move(*authority));
  log::info("the certificate authority is {}, its SHA-256 fingerprint {}",
            (settings.state_dir / "ca.pem").string(),
            identity::to_text(p.authority->certificate().fingerprint));
  auto reset_key = ResetKey::load_or_create(settings.state_dir);
  if (!reset_key) return fail(reset_key.error());
  p.reset_key.emplace(std::move(*reset_key));
  if (auto opened = p.open_store(); !opened) return opened;
  p.operations = std::make_unique<Operations>(p.clock, *p.fleet, *p.store, p.link);
  p.inquiries = std::make_unique<Inquiries>(p.clock, p.link);
  p.fleet->on_command_update([&p](const CommandUpdate& update) {
    if (!p.inquiries->on_update(update)) p.operations->on_update(update);
  });
  p.fleet->on_seen_stopped(
      [&p](const PrinterKey& printer) { p.operations->on_seen_stopped(printer); });
  p.operations->offer_stops_for(std::chrono::minutes{settings.stop_retry_minutes});
  if (auto started = p.start_hub(); !started) return started;
  if (auto started = p.start_door(); !started) return started;
  if (auto resumed = p.operations->resume(); !resumed)
    log::error("stops that were under way could not be read: {}", resumed.error().message);
  p.ticker.emplace(p.agents_io);
  asio::post(p.agents_io, [&p] { p.tick(); });
  p.agents_thread = std::thread([&p] { p.run(p.agents_io, "agents"); });
  p.door_thread = std::thread([&p] { p.run(p.door_io, "HTTP"); });
  return {};
}

std::vector<std::string> App::reload(const Settings& settings) {
  Parts& p = *parts_;
  log::init("firebreak-coordinator", settings.log_level);
  p.operations->offer_stops_for(std::chrono::minutes{settings.stop_retry_minutes});
  auto restart = keys_that_need_a_restart(p.settings, settings);
  std::string names;
  for (const std::string& key : restart) names += (names.empty() ? "" : ", ") + key;
  if (restart.empty())
    log::info("configuration: read again, all of it counts now");
  else
    log::warning("configuration: read again; needs a restart: {}", names);
  return restart;
}

void App::stop() {
  if (!parts_) return;
  Parts& p = *parts_;
  if (p.door) p.door->stop();
  if (p.hub) p.hub->stop();
  // A moment for TLS ends to leave; then the threads end whatever is left.
  const auto end = [](asio::io_context& io, std::thread& thread) {
    if (!thread.joinable()) return;
    asio::steady_timer rest(io, std::chrono::milliseconds{200});
    rest.async_wait([&io](const std::error_code&) { io.stop(); });
    thread.join();
  };
  end(p.door_io, p.door_thread);
  end(p.agents_io, p.agents_thread);
  if (auto saved = p.time.save(); !saved) log::warning("{}", saved.error().message);
  // Each after the last thread that uses it: workers, hub, the store's writer, then the rest.
  if (p.door) p.door->end_workers();
  p.link.hub = nullptr;
  p.hub.reset();
  p.store.reset();
  parts_.reset();
}

std::uint16_t App::http_port() const { return parts_->door->port(); }
std::uint16_t App::agents_port() const { return parts_->hub->port(); }

}  // namespace firebreak::coordinator
