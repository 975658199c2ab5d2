#include "agent/guard/stop/estop_loop.h"

#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace firebreak::guard {

using machine::Facts;
using machine::Feedback;
using machine::Phase;
using machine::Send;
using machine::Start;
using machine::State;

namespace {

constexpr std::int64_t relay_settle_ns = 500'000'000;
/// A deadline that no row takes must not spin the highest thread of the host.
constexpr std::int64_t shortest_wait_ns = 1'000'000;
/// Heat that goes on while latched is told again after this.
constexpr std::int64_t heat_told_again_ns = 60'000'000'000;

}  // namespace

EstopLoop::EstopLoop(GuardCore& core, EventQueue& events, const Clock& clock)
    : core_(core), events_(events), clock_(clock) {}

void EstopLoop::start() {
  HostMemory host;
  if (core_.mapped->layout().host.load(host)) host_ = host;
  for (const auto& input : core_.inputs) {
    if (!input->config.whole_host || !input->pressed.load(std::memory_order_acquire)) continue;
    latch_host(input->config.smoke ? Cause::smoke : Cause::button);
  }
  for (auto& printer : core_.printers) machine::begin_start(printer->memory);
  relays_driven_ = false;
  host_changed_ = true;
  pass(clock_.now().time_since_epoch().count(), {}, false);
}

void EstopLoop::pass(std::int64_t now_ns, std::span<const InputEdge> edges,
                     bool board_lost) noexcept {
  times_ = PassTimes{};
  for (auto& doing : doing_) doing = Doing{};
  take_inputs(edges, board_lost, now_ns);
  take_host_requests();
  for (auto& printer : core_.printers) decide(*printer, now_ns);
  share_power();

  // The latch is in memory that outlives us before the first byte leaves.
  commit_host();
  for (auto& printer : core_.printers) commit(*printer);
  times_.latched_ns = monotonic_ns();
  for (auto& printer : core_.printers) send(*printer);
  tell_relays(now_ns);
  for (auto& printer : core_.printers) tell_link(*printer);
  tell_alarm(now_ns);

  record_presses(edges);
  for (auto& printer : core_.printers) record(*printer);
}

void EstopLoop::take_inputs(std::span<const InputEdge> edges, bool board_lost,
                            std::int64_t now_ns) noexcept {
  const bool newly_lost = board_lost && !core_.board_lost.exchange(true);
  for (auto& input : core_.inputs) {
    bool pressed = false;
    if (newly_lost) pressed = true;
    for (const auto& edge : edges) {
      if (edge.line != input->line) continue;
      input->pressed.store(!edge.level, std::memory_order_release);
      if (edge.level) continue;
      pressed = true;
      if (times_.edge_ns == 0) times_.edge_ns = edge.edge_ns;
    }
    if (!pressed) continue;
    input->pressed_at_ns.store(now_ns, std::memory_order_release);
    const Cause cause = newly_lost            ? Cause::input_fault
                        : input->config.smoke ? Cause::smoke
                                              : Cause::button;
    for (const auto index : input->zone) core_.printers[index]->pending_trips |= bit(cause);
    if (input->config.whole_host) latch_host(cause);
  }
}

void EstopLoop::latch_host(Cause cause) noexcept {
  host_.latched = true;
  host_.causes |= bit(cause);
  ++host_.generation;
  host_changed_ = true;
}

void EstopLoop::take_host_requests() noexcept {
  if (core_.forget_restarts.exchange(0) != 0) {
    host_.restarts_ns = {};
    host_changed_ = true;
  }
  const std::uint32_t number = core_.host_reset_request.exchange(0);
  if (number == 0 || number != host_.generation) return;
  for (const auto& input : core_.inputs) {
    if (input->config.whole_host && input->pressed.load(std::memory_order_acquire)) return;
  }
  host_.latched = false;
  host_.causes = 0;
  host_changed_ = true;
}

void EstopLoop::gather_relay(PrinterRuntime& printer, Facts& facts) noexcept {
  Relay* relay = printer.relay;
  facts.has_relay = relay != nullptr;
  if (relay == nullptr) {
    facts.group_ready = true;
    return;
  }
  facts.covered = printer.covered;
  facts.feedback = relay->feedback();
  facts.feedback_limit_ns = relay->feedback_limit_ns();
  const std::int64_t since_ns = facts.now_ns - relay->commanded_at_ns();
  facts.feedback_settled = since_ns >= facts.feedback_limit_ns;
  facts.relay_found_open =
      relay->commanded_closed() && facts.feedback == Feedback::open && since_ns >= relay_settle_ns;
  facts.group_ready =
      std::all_of(relay->members.begin(), relay->members.end(), [&](std::size_t index) {
        return index == printer.index || !machine::latched(core_.printers[index]->memory);
      });
}

Facts EstopLoop::gather(PrinterRuntime& printer, std::int64_t now_ns) noexcept {
  Facts facts;
  facts.now_ns = now_ns;
  facts.start = printer.start;
  facts.recorded_cold = printer.recorded_cold;
  printer.pending_trips |= printer.shared.trips.exchange(0, std::memory_order_acq_rel);
  facts.trips = printer.pending_trips;
  gather_relay(printer, facts);

  MonitorFacts found;
  if (printer.monitor.load(found) && found.for_state == printer.memory.state &&
      found.for_entered_ns == printer.memory.entered_ns) {
    facts.acknowledged = found.acknowledged;
    facts.silent = found.silent;
    facts.cooled = found.cooled;
    facts.cooled_elsewhere = found.cooled_elsewhere;
    facts.risen = found.risen;
    facts.target_positive = found.target_positive;
    facts.sign_of_heat = found.sign_of_heat;
    facts.first_report = found.first_report;
  } else {
    // Nothing is known of this state yet; what may be silence must not be taken for it.
    facts.silent = false;
  }
  facts.unreachable = printer.config.link != LinkKind::serial &&
                      printer.shared.port_fd.load(std::memory_order_acquire) < 0;
  facts.hot = found.hot;
  facts.window_ns = found.window_ns;

  const std::int64_t last_pulse_ns =
      core_.mapped->layout().last_pulse_ns.load(std::memory_order_acquire);
  facts.pulses_lapsed =
      facts.start == Start::running &&
      now_ns - last_pulse_ns > std::chrono::nanoseconds{machine::times::resume}.count();
  facts.service_stopping = core_.stopping.load(std::memory_order_acquire);
  facts.host_latched = host_.latched;
  const auto& profile = printer.config.profile;
  facts.dtr_rung = profile.dtr_resets_board && !profile.auto_starts;
  facts.boot_time_ns = std::chrono::nanoseconds{profile.boot_time}.count();
  facts.revived = printer.shared.revival_done.load(std::memory_order_acquire) ==
                  printer.shared.revival_request.load(std::memory_order_acquire);

  const std::uint32_t requests = printer.requests.exchange(0, std::memory_order_acq_rel);
  facts.reset = (requests & request::reset) != 0;
  facts.release = (requests & request::release) != 0;
  facts.arm = (requests & request::arm) != 0;
  facts.watch = (requests & request::watch) != 0;
  facts.watch_ns = printer.watch_ns.load(std::memory_order_acquire);
  facts.unpark = (requests & request::unpark) != 0;
  return facts;
}

void EstopLoop::decide(PrinterRuntime& printer, std::int64_t now_ns) noexcept {
  Doing& doing = doing_[printer.index];
  Facts facts = gather(printer, now_ns);
  while (doing.row_count < rows_a_pass) {
    const auto decision = machine::step(machine::table(), printer.memory, facts);
    if (decision.row == nullptr) break;
    doing.changed = true;
    doing.rows[doing.row_count++] = decision.row;
    if (decision.send != Send::nothing) doing.send = decision.send;
    if (decision.row->effects & machine::effect::open) doing.relay_wanted = true;
    if (decision.dtr || decision.revive) {
      printer.shared.revival_request.fetch_add(1, std::memory_order_acq_rel);
      facts.revived = false;
    }
    if ((decision.row->effects & machine::effect::again) == 0) break;
  }
  printer.start = facts.start;
  printer.pending_trips = facts.trips;
}

// One latched member whose relay must be open takes the power from all behind the same relay.
void EstopLoop::share_power() noexcept {
  for (const auto& relay : core_.relays) {
    const bool cut =
        std::any_of(relay->members.begin(), relay->members.end(), [&](std::size_t index) {
          const auto& memory = core_.printers[index]->memory;
          return machine::latched(memory) && !memory.relay_closed;
        });
    if (!cut) continue;
    for (const auto index : relay->members) {
      auto& printer = *core_.printers[index];
      if (printer.memory.relay_closed) printer.pending_trips |= bit(Cause::shared_power);
    }
  }
  for (auto& printer : core_.printers) {
    if (has(printer->pending_trips, Cause::shared_power)) {
      decide(*printer, clock_.now().time_since_epoch().count());
    }
  }
}

void EstopLoop::commit_host() noexcept {
  if (!host_changed_) return;
  host_changed_ = false;
  core_.mapped->layout().host.commit(host_);
  core_.host_seen.store(host_);
  core_.slot_request.fetch_add(1, std::memory_order_acq_rel);
}

void EstopLoop::commit(PrinterRuntime& printer) noexcept {
  if (!doing_[printer.index].changed) return;
  printer.mapped->memory.commit(printer.memory);
  printer.seen.store(printer.memory);
  core_.slot_request.fetch_add(1, std::memory_order_acq_rel);
}

void EstopLoop::send(PrinterRuntime& printer) noexcept {
  Doing& doing = doing_[printer.index];
  if (doing.send == Send::nothing) return;
  const auto& sequence = doing.send == Send::stop ? printer.bytes.stop : printer.bytes.heaters_off;
  const std::string_view bytes = sequence.view();
  doing.bytes_taken = 0;
  const int fd = printer.shared.port_fd.load(std::memory_order_acquire);
  if (fd < 0) return;
  // From here on the link writes nothing of its own.
  if (doing.send == Send::stop) {
    printer.shared.link_mode.store(LinkMode::latched, std::memory_order_release);
  }
  const auto prefix = stop_prefix(printer.shared.stream_form.load(std::memory_order_acquire));
  const auto write_all = [&] {
    if (!prefix.empty()) (void)!write(fd, prefix.data(), prefix.size());
    return write(fd, bytes.data(), bytes.size());
  };
  ssize_t taken = write_all();
  if (taken < static_cast<ssize_t>(bytes.size())) {
    // The queue is full of what no longer matters. The sequence begins with a newline, so half a
    // line that went before does not hide it.
    tcflush(fd, TCOFLUSH);
    taken = std::max(taken, write_all());
  }
  doing.bytes_taken = static_cast<std::int32_t>(std::max<ssize_t>(taken, 0));
  if (doing.bytes_taken >= static_cast<std::int32_t>(printer.bytes.head)) {
    times_.write_ns = monotonic_ns();
  }
  if (doing.send == Send::stop) {
    printer.shared.stop_bytes_taken.fetch_add(static_cast<std::uint32_t>(doing.bytes_taken),
                                              std::memory_order_acq_rel);
  }
}

void EstopLoop::tell_relays(std::int64_t now_ns) noexcept {
  for (const auto& relay : core_.relays) {
    bool closed = !relay->members.empty();
    bool again = false;
    for (const auto index : relay->members) {
      closed = closed && core_.printers[index]->memory.relay_closed;
      again = again || doing_[index].relay_wanted;
    }
    const bool changed = closed != relay->commanded_closed();
    if (!changed && !(again && !closed) && relays_driven_) continue;
    relay->apply(closed);
    if (changed) relay->mark_commanded(now_ns);
    if (!closed) times_.relay_ns = monotonic_ns();
  }
  relays_driven_ = true;
}

void EstopLoop::tell_link(PrinterRuntime& printer) noexcept {
  LinkMode mode = LinkMode::pass;
  if (machine::latched(printer.memory)) mode = LinkMode::latched;
  if (printer.memory.state == State::probation) {
    mode = printer.memory.phase == Phase::reviving ? LinkMode::hold : LinkMode::probation;
  }
  printer.shared.link_mode.store(mode, std::memory_order_release);
  printer.shared.no_new_heat.store(printer.memory.no_new_heat, std::memory_order_release);
}

void EstopLoop::tell_alarm(std::int64_t now_ns) noexcept {
  bool wanted = core_.blind_alarm.load(std::memory_order_acquire);
  for (const auto& printer : core_.printers) wanted = wanted || machine::alarm(printer->memory);
  if (now_ns < core_.silenced_until_ns.load(std::memory_order_acquire)) wanted = false;
  if (core_.alarm_on.exchange(wanted) == wanted) return;
  if (core_.alarm_line != ~std::size_t{0}) core_.board->set(core_.alarm_line, wanted);
}

void EstopLoop::record_presses(std::span<const InputEdge> edges) noexcept {
  for (const auto& edge : edges) {
    for (const auto& input : core_.inputs) {
      if (input->line != edge.line) continue;
      auto event =
          make_record(clock_, EventKind::press, edge.level ? Severity::info : Severity::alarm);
      event.format_text("{} {}", input->config.name, edge.level ? "was released" : "was pressed");
      event.add("edge_ns", edge.edge_ns);
      events_.push(event);
    }
  }
}

// A repeat that changes nothing is not worth a line on an SD card; nor is each of the cuts, ten a
// second, of a board that does not obey and goes on showing its target.
bool EstopLoop::worth_recording(const machine::Row& row, const PrinterRuntime& printer) noexcept {
  using machine::When;
  if (row.when == When::repeat_due) return false;
  HeatTold& told = heat_told_[printer.index];
  if (row.when == When::heat_while_latched) {
    const std::int64_t now_ns = printer.memory.entered_ns;
    told.again =
        told.latch_number == printer.memory.generation && now_ns - told.at_ns < heat_told_again_ns;
    if (!told.again) told = {printer.memory.generation, now_ns, false};
    return !told.again;
  }
  const bool ends_cut = row.when == When::feedback_open || row.when == When::not_verifiable ||
                        row.when == When::not_verifiable_dtr;
  if (!ends_cut) told.again = false;
  return !told.again;
}

void EstopLoop::record(PrinterRuntime& printer) noexcept {
  const Doing& doing = doing_[printer.index];
  if (!doing.changed) return;
  const bool stopped = doing.send == Send::stop || doing.relay_wanted;
  if (stopped) {
    times_.serial = ++passes_;
    printer.last_pass.store(times_);
  }
  for (std::size_t i = 0; i < doing.row_count; ++i) {
    const auto& row = *doing.rows[i];
    if (!worth_recording(row, printer)) continue;
    const bool trip = (row.effects & machine::effect::latch) != 0;
    auto event = make_record(clock_, trip ? EventKind::trip : EventKind::state,
                             trip ? Severity::alarm : Severity::info,
                             static_cast<std::int16_t>(printer.index));
    event.set_text(row.name);
    event.add("state", printer.memory.state);
    event.add("causes", printer.memory.causes);
    event.add("latch_number", printer.memory.generation);
    event.add("outcome", printer.memory.outcome);
    if (doing.bytes_taken >= 0) event.add("bytes_taken", doing.bytes_taken);
    if (stopped && times_.edge_ns != 0)
      event.add("edge_to_write_ns", times_.write_ns - times_.edge_ns);
    if (stopped && times_.edge_ns != 0)
      event.add("edge_to_relay_ns", times_.relay_ns - times_.edge_ns);
    event.format_data(R"({{"to":"{}"}})", machine::name(row.to));
    events_.push(event);
  }
}

std::int64_t EstopLoop::wait_ns(std::int64_t now_ns) const noexcept {
  std::int64_t wait = longest_wait_ns;
  for (const auto& printer : core_.printers) {
    if (printer->pending_trips != 0) return 0;
    const std::int64_t next = machine::next_deadline_ns(printer->memory);
    if (next != 0) wait = std::min(wait, std::max(next - now_ns, shortest_wait_ns));
  }
  return wait;
}

void EstopLoop::run() noexcept {
  std::array<InputEdge, 64> edges;
  while (!core_.end.load(std::memory_order_acquire)) {
    const std::int64_t wait = wait_ns(monotonic_ns());
    std::array<pollfd, 2> waiting{pollfd{core_.stop_event, POLLIN, 0},
                                  pollfd{core_.board->poll_fd(), POLLIN, 0}};
    const bool board_lost = core_.board_lost.load(std::memory_order_acquire);
    const timespec limit{0, static_cast<long>(wait)};
    ppoll(waiting.data(), board_lost ? 1 : 2, &limit, nullptr);
    std::uint64_t count = 0;
    if (waiting[0].revents != 0) {
      [[maybe_unused]] const ssize_t size = read(core_.stop_event, &count, sizeof(count));
    }
    bool lost = board_lost;
    const std::size_t changes = board_lost ? 0 : core_.board->read_changes(edges, lost);
    const std::int64_t now_ns = monotonic_ns();
    pass(now_ns, {edges.data(), changes}, lost);
    core_.liveness.estop_ns.store(now_ns, std::memory_order_release);
  }
}

}  // namespace firebreak::guard
