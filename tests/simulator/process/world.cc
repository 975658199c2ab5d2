#include "tests/simulator/process/world.h"

#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>

#include "tests/simulator/process/control.h"

namespace firebreak::sim {
namespace {

using nlohmann::json;

constexpr std::int64_t kLongestSleepNs = 20'000'000;
constexpr std::int64_t kDtrPollNs = 20'000'000;
constexpr std::int64_t kSensorPeriodNs = 500'000'000;  // 2 Hz, the board's contract
constexpr std::size_t kControlLineBytes = 64 * 1024;

}  // namespace

void UnitReactor::watch(int fd, std::uint32_t events, Ready ready) {
  world_->watch_fd(fd, events);
  world_->watched_[fd] = {unit_, std::move(ready)};
}

void UnitReactor::change(int fd, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  ::epoll_ctl(world_->epoll_, EPOLL_CTL_MOD, fd, &event);
}

void UnitReactor::unwatch(int fd) {
  ::epoll_ctl(world_->epoll_, EPOLL_CTL_DEL, fd, nullptr);
  world_->watched_.erase(fd);
}

World::~World() {
  for (const auto& unit : printers_) unit->kind.reset();  // they use the loop
  for (const auto& [fd, input] : control_input_) ::close(fd);
  for (const int fd : {control_, epoll_, inotify_, signal_}) {
    if (fd >= 0) ::close(fd);
  }
  if (!control_path_.empty()) ::unlink(control_path_.c_str());
}

bool World::watch_fd(int fd, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  return ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) == 0;
}

std::string World::open(const SimConfig& config) {
  if (const std::string error = journal_.open(config.journal); !error.empty()) return error;
  journal_pulses_ = config.journal_pulses;
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  inotify_ = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT}) sigaddset(&signals, number);
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  signal_ = ::signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
  if (epoll_ < 0 || inotify_ < 0 || signal_ < 0) return std::strerror(errno);
  watch_fd(inotify_, EPOLLIN);
  watch_fd(signal_, EPOLLIN);
  base_ns_ = monotonic_ns();
  journal_.write(base_ns_, "start", {{"pid", ::getpid()}});
  for (const BoardConfig& board : config.boards) {
    const std::string name = board.name;
    boards_.push_back(std::make_unique<BoardUnit>(
        board, [this, name](const char* fact, const std::string& line, int pid) {
          journal_.write(monotonic_ns(), fact, {{"board", name}, {"line", line}, {"pid", pid}});
        }));
    BoardUnit& unit = *boards_.back();
    for (const SensorConfig& sensor : board.sensors) unit.sensors[sensor.name] = OwnSensor();
    if (const std::string error = unit.server.listen(board.socket); !error.empty()) return error;
    watch_fd(unit.server.listener(), EPOLLIN);
  }
  for (const PrinterSetup& setup : config.printers) {
    if (const std::string error = open_printer(setup); !error.empty()) return error;
  }
  wire();
  return open_control(config.control);
}

std::string World::open_printer(const PrinterSetup& setup) {
  printers_.push_back(std::make_unique<PrinterUnit>(setup, this));
  PrinterUnit& unit = *printers_.back();
  const std::string name = setup.printer.name;
  unit.kind = make_kind({setup.kind, &unit.printer, &unit.reactor,
                         [this, name](const char* fact, const json& fields) {
                           json record = fields;
                           record["printer"] = name;
                           journal_.write(monotonic_ns(), fact, record);
                         }});
  if (!unit.kind) {
    plug(unit);
    return unit.port.plugged() ? std::string() : setup.port + ": cannot make this port";
  }
  const std::string error = unit.kind->open();
  return error.empty() ? error : "printer " + name + ": " + error;
}

std::string World::open_control(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return path + ": too long for a socket";
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  control_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  ::unlink(path.c_str());
  if (control_ < 0 ||
      ::bind(control_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(control_, 16) != 0) {
    return path + ": " + std::strerror(errno);
  }
  control_path_ = path;
  watch_fd(control_, EPOLLIN);
  return {};
}

PrinterUnit* World::printer(const std::string& name) {
  for (const auto& unit : printers_) {
    if (unit->printer.config().name == name) return unit.get();
  }
  return nullptr;
}

BoardUnit* World::board(const std::string& name) {
  for (const auto& unit : boards_) {
    if (name.empty() || unit->board.config().name == name) return unit.get();
  }
  return nullptr;
}

void World::plug(PrinterUnit& unit) {
  if (unit.kind || unit.port.plugged()) return;
  if (const std::string error = unit.port.plug(); !error.empty()) {
    std::fprintf(stderr, "firebreak-sim: %s: %s\n", unit.setup.port.c_str(), error.c_str());
    unit.port.unplug();
    return;
  }
  unit.open_by_hosts = 0;
  unit.dtr_low = false;
  unit.watch = ::inotify_add_watch(inotify_, unit.port.device().c_str(), IN_OPEN | IN_CLOSE);
  unit.interest = EPOLLIN;
  watch_fd(unit.port.fd(), unit.interest);
  journal_.write(monotonic_ns(), "plug",
                 {{"printer", unit.printer.config().name}, {"device", unit.port.device()}});
}

void World::unplug(PrinterUnit& unit) {
  if (!unit.port.plugged()) return;
  ::epoll_ctl(epoll_, EPOLL_CTL_DEL, unit.port.fd(), nullptr);
  if (unit.watch >= 0) ::inotify_rm_watch(inotify_, unit.watch);
  unit.watch = -1;
  unit.open_by_hosts = 0;
  unit.port.unplug();
  journal_.write(monotonic_ns(), "unplug", {{"printer", unit.printer.config().name}});
}

void World::tick() {
  const std::int64_t now = monotonic_ns();
  for (const auto& unit : boards_) tick_board(*unit);
  wire();
  for (const auto& unit : printers_) tick_printer(*unit, now);
  poll_dtr(now);
  send_sensors(now);
}

void World::tick_board(BoardUnit& unit) {
  unit.board.advance(Nanos{monotonic_ns()});
  const std::string& name = unit.board.config().name;
  for (const BoardFact& fact : unit.board.take_facts()) {
    const std::int64_t ns = fact.due.count();
    switch (fact.kind) {
      case BoardFact::Kind::line:
        unit.server.send_edge(fact.name, fact.level, ns);
        if (unit.board.is_pulse(fact.name) && !journal_pulses_) break;
        journal_.write(ns, "line", {{"board", name}, {"line", fact.name}, {"level", fact.level}});
        break;
      case BoardFact::Kind::relay:
        wire();  // heat ends before its record is written
        journal_.write(ns, "relay",
                       {{"board", name}, {"relay", fact.name}, {"closed", fact.level}});
        break;
      case BoardFact::Kind::alarm:
        journal_.write(ns, "alarm", {{"board", name}, {"on", fact.level}});
        break;
      case BoardFact::Kind::button:
        journal_.write(ns, "button",
                       {{"board", name}, {"button", fact.name}, {"pressed", fact.level}});
        break;
    }
  }
}

// Takes the relays' contacts to the printers that they feed.
void World::wire() {
  for (const auto& unit : printers_) {
    const PrinterSetup& setup = unit->setup;
    if (setup.relay.empty()) continue;
    const BoardUnit* feeding = board(setup.board);
    const bool closed = feeding != nullptr && feeding->board.relay_closed(setup.relay);
    unit->printer.set_heater_power(HeaterId::hotend, closed || !setup.covers_hotend);
    unit->printer.set_heater_power(HeaterId::bed, closed || !setup.covers_bed);
    if (setup.board_powered_by_relay) unit->printer.set_board_power(closed);
  }
}

void World::tick_printer(PrinterUnit& unit, std::int64_t now) {
  const Nanos elapsed = Nanos{now - base_ns_} - unit.printer.now();
  if (elapsed > Nanos{0}) unit.printer.advance(elapsed);
  if (unit.kind) unit.kind->advance();
  record_facts(unit);
  if (unit.kind) return;
  const std::string output = unit.printer.take_output();
  if (!output.empty() || unit.port.wants_to_write()) unit.port.write(output);
  update_interest(unit);
}

void World::record_facts(PrinterUnit& unit) {
  for (const Fact& fact : unit.printer.take_facts()) {
    json record = {{"printer", unit.printer.config().name}};
    if (fact.kind == "heat") {
      record["heater"] = fact.heater;
      record["on"] = fact.watts > 0;
      record["watts"] = fact.watts;
    }
    if (!fact.text.empty()) record["text"] = fact.text;
    if (fact.kind == "off") unit.port.discard_unread();
    journal_.write(base_ns_ + fact.at.count(), fact.kind.c_str(), record);
  }
}

void World::update_interest(PrinterUnit& unit) {
  if (!unit.port.plugged()) return;
  std::uint32_t wanted = 0;
  if (unit.reading && unit.printer.input_room() > 0) wanted |= EPOLLIN;
  if (unit.port.wants_to_write()) wanted |= EPOLLOUT;
  if (wanted == unit.interest) return;
  unit.interest = wanted;
  epoll_event event{};
  event.events = wanted;
  event.data.fd = unit.port.fd();
  ::epoll_ctl(epoll_, EPOLL_CTL_MOD, unit.port.fd(), &event);
}

void World::reset(PrinterUnit& unit) {
  unit.port.discard_unread();
  unit.printer.reset();
  if (unit.kind) unit.kind->was_reset();
}

void World::read_port(PrinterUnit& unit) {
  if (!unit.reading) return;
  const std::size_t room = unit.printer.input_room();
  if (room == 0) return;
  const std::string_view bytes = unit.port.read(room);
  const std::int64_t now = monotonic_ns();
  if (bytes.empty()) return;
  unit.bytes_read += bytes.size();
  if (unit.record.is_open())
    unit.record.write(bytes.data(), static_cast<std::streamsize>(bytes.size())).flush();
  if (const int halts = unit.watcher.take(bytes); halts > 0) {
    unit.halts_seen += static_cast<std::uint64_t>(halts);
    journal_.write(now, "m112_read",
                   {{"printer", unit.printer.config().name}, {"seen", unit.halts_seen}});
  }
  const bool pair = unit.last_byte == '\xF0' && bytes.front() == '\x0F';
  unit.last_byte = bytes.back();
  const bool out_of_band = pair || bytes.find("\xF0\x0F") != std::string_view::npos;
  if (out_of_band && unit.setup.printer.dialect.emergency_bytes) {
    journal_.write(now, "stop_read",
                   {{"printer", unit.printer.config().name}, {"kind", "marlin"}, {"how", "F0 0F"}});
  }
  const Nanos elapsed = Nanos{now - base_ns_} - unit.printer.now();
  if (elapsed > Nanos{0}) unit.printer.advance(elapsed);
  unit.printer.receive(bytes);
  tick_printer(unit, now);
}

void World::read_openings() {
  alignas(inotify_event) char buffer[4096];
  const ssize_t count = ::read(inotify_, buffer, sizeof buffer);
  for (ssize_t at = 0; at + static_cast<ssize_t>(sizeof(inotify_event)) <= count;) {
    const auto* event = reinterpret_cast<const inotify_event*>(buffer + at);
    at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
    for (const auto& unit : printers_) {
      if (unit->watch != event->wd || (event->mask & (IN_OPEN | IN_CLOSE)) == 0) continue;
      const bool opened = (event->mask & IN_OPEN) != 0;
      unit->open_by_hosts = std::max(0, unit->open_by_hosts + (opened ? 1 : -1));
      if (opened) ++unit->opens;
      journal_.write(
          monotonic_ns(), opened ? "port_open" : "port_close",
          {{"printer", unit->printer.config().name}, {"open_by_hosts", unit->open_by_hosts}});
      if (opened && unit->open_by_hosts == 1 && unit->setup.open_resets) reset(*unit);
    }
  }
}

// A pty has no DTR. Speed 0 means "hang up" to termios and takes DTR down on a real port, so it
// stands for DTR here.
void World::poll_dtr(std::int64_t now) {
  if (now < next_dtr_ns_) return;
  next_dtr_ns_ = now + kDtrPollNs;
  for (const auto& unit : printers_) {
    const bool low = unit->port.hung_up();
    if (low == unit->dtr_low) continue;
    unit->dtr_low = low;
    journal_.write(now, "dtr", {{"printer", unit->printer.config().name}, {"level", !low}});
    if (low && unit->setup.dtr_resets) reset(*unit);
  }
}

void World::send_sensors(std::int64_t now) {
  if (now < next_sensors_ns_) return;
  next_sensors_ns_ = now + kSensorPeriodNs;
  for (const auto& unit : boards_) {
    for (const SensorConfig& sensor : unit->board.config().sensors) {
      const OwnSensor& own = unit->sensors[sensor.name];
      const PrinterUnit* measured = printer(sensor.printer);
      if (own.dead || measured == nullptr) continue;
      const HeaterId id = sensor.heater == "bed" ? HeaterId::bed : HeaterId::hotend;
      const HeaterTruth truth = measured->printer.truth(id);
      const double value = sensor.current ? truth.watts / sensor.volts : truth.body_celsius;
      unit->server.send_value(sensor.line, sensor.current ? "amps" : "celsius",
                              own.forced.value_or(value));
    }
  }
}

std::int64_t World::nanoseconds_to_next() const {
  const std::int64_t now = monotonic_ns();
  std::int64_t next = now + kLongestSleepNs;
  for (const auto& unit : printers_) {
    next = std::min(next, base_ns_ + unit->printer.next_event().count());
    const auto own = unit->kind ? unit->kind->next_event() : std::nullopt;
    if (own) next = std::min(next, base_ns_ + own->count());
  }
  for (const auto& unit : boards_) {
    if (const auto event = unit->board.next_event()) next = std::min(next, event->count());
  }
  return std::max<std::int64_t>(0, next - now);
}

void World::read_signal() {
  signalfd_siginfo info{};
  if (::read(signal_, &info, sizeof info) > 0) stopped_ = true;
}

void World::serve_control(int fd) {
  std::string& input = control_input_[fd];
  char buffer[4096];
  ssize_t count = 0;
  while ((count = ::recv(fd, buffer, sizeof buffer, 0)) > 0) {
    input.append(buffer, static_cast<std::size_t>(count));
    if (input.size() > kControlLineBytes) break;
  }
  const bool ended =
      count == 0 || (count < 0 && errno != EAGAIN) || input.size() > kControlLineBytes;
  for (std::size_t end; (end = input.find('\n')) != std::string::npos;) {
    const std::string line = input.substr(0, end);
    input.erase(0, end + 1);
    const std::string answer = control_answer(*this, line) + "\n";
    tick();
    (void)::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL);
  }
  if (!ended) return;
  control_input_.erase(fd);
  ::close(fd);
}

// What a kind waits for; its printer is brought to the present first.
bool World::serve_kind(int fd, std::uint32_t events) {
  const auto found = watched_.find(fd);
  if (found == watched_.end()) return false;
  const Watched watched = found->second;  // it may end its own watch
  const Nanos elapsed = Nanos{monotonic_ns() - base_ns_} - watched.unit->printer.now();
  if (elapsed > Nanos{0}) watched.unit->printer.advance(elapsed);
  watched.ready(events);
  tick_printer(*watched.unit, monotonic_ns());
  return true;
}

void World::handle(int fd, std::uint32_t events) {
  if (serve_kind(fd, events)) return;
  if (fd == inotify_) return read_openings();
  if (fd == signal_) return read_signal();
  if (fd == control_) {
    const int peer = ::accept4(control_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (peer >= 0 && watch_fd(peer, EPOLLIN)) control_input_[peer];
    return;
  }
  for (const auto& unit : printers_) {
    if (unit->port.fd() == fd) return read_port(*unit);
  }
  for (const auto& unit : boards_) {
    if (unit->server.listener() == fd) {
      if (const int peer = unit->server.accept(); peer >= 0) watch_fd(peer, EPOLLIN);
      return;
    }
    if (unit->server.owns(fd)) {
      unit->server.serve(fd);
      tick_board(*unit);
      return wire();
    }
  }
  if (control_input_.count(fd) > 0) serve_control(fd);
}

void World::run() {
  while (!stopped_) {
    tick();
    const std::int64_t sleep_ns = nanoseconds_to_next();
    const timespec timeout{sleep_ns / 1'000'000'000, sleep_ns % 1'000'000'000};
    epoll_event events[32];
    const int count = ::epoll_pwait2(epoll_, events, 32, &timeout, nullptr);
    // Ports first: their reading is stamped.
    for (int i = 0; i < count; ++i) {
      for (const auto& unit : printers_) {
        if (unit->port.fd() == events[i].data.fd) read_port(*unit);
      }
    }
    for (int i = 0; i < count; ++i) {
      const int fd = events[i].data.fd;
      const bool port = std::any_of(printers_.begin(), printers_.end(),
                                    [fd](const auto& unit) { return unit->port.fd() == fd; });
      if (!port) handle(fd, events[i].events);
    }
  }
  journal_.write(monotonic_ns(), "stop", json::object());
}

}  // namespace firebreak::sim
