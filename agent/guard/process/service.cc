#include "agent/guard/process/service.h"

#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "agent/guard/process/status_report.h"
#include "common/base/escape.h"

namespace firebreak::guard {

using machine::State;
using nlohmann::json;

namespace {

constexpr std::chrono::milliseconds effect_wait{500};
constexpr std::chrono::minutes silence_time{10};

std::vector<std::string> printer_names(const GuardCore& core) {
  std::vector<std::string> names;
  for (const auto& printer : core.printers) names.push_back(printer->config.name);
  return names;
}

std::string join(const std::vector<std::string>& sentences) {
  std::string text;
  for (const auto& sentence : sentences) {
    if (!text.empty()) text += "; ";
    text += sentence;
  }
  return text;
}

}  // namespace

GuardServiceImpl::GuardServiceImpl(GuardCore& core, BlackBox& box, SlotWriter& slots,
                                   commission::Commissioner& commissioner, EventQueue& events,
                                   const Clock& clock, std::optional<GrantKey> grant_key)
    : core_(core),
      box_(box),
      slots_(slots),
      commissioner_(commissioner),
      events_(events),
      clock_(clock),
      grants_(printer_names(core), std::move(grant_key), clock) {}

json GuardServiceImpl::status() { return status_report(core_, box_, slots_, monotonic_ns()); }

Result<PrinterRuntime*> GuardServiceImpl::find(const std::string& name) {
  if (PrinterRuntime* printer = core_.find(name)) return printer;
  std::string known;
  for (const auto& printer : core_.printers) known += " " + printer->config.name;
  return fail(ErrorCode::not_found, fmt::format("no printer {} on this host; there are:{}",
                                                escape_untrusted(name, 40), known));
}

void GuardServiceImpl::record(EventKind kind, const PrinterRuntime* printer, const Peer& peer,
                              const std::string& sentence) {
  auto event =
      make_record(clock_, kind, Severity::info,
                  printer == nullptr ? no_printer : static_cast<std::int16_t>(printer->index));
  event.set_text(fmt::format("{}: {}", peer.name, sentence));
  event.add("uid", peer.uid);
  events_.push(event);
}

Result<void> GuardServiceImpl::stop(const StopRequest& request, const Peer& peer) {
  std::vector<PrinterRuntime*> targets;
  std::string unknown;
  for (auto& printer : core_.printers) {
    if (request.all) targets.push_back(printer.get());
  }
  for (const auto& name : request.printers) {
    PrinterRuntime* printer = core_.find(name);
    if (printer != nullptr) targets.push_back(printer);
    if (printer == nullptr) unknown += " " + escape_untrusted(name, 40);
  }
  // Whoever is known is stopped, whatever else is wrong with the request.
  const Cause cause = request.by_coordinator ? Cause::coordinator : Cause::person;
  for (auto* printer : targets) core_.raise(*printer, bit(cause));
  for (auto* printer : targets) {
    record(EventKind::command, printer, peer,
           fmt::format("stop asked by {}", escape_untrusted(request.who, 60)));
  }
  if (!unknown.empty()) {
    return fail(ErrorCode::not_found,
                "no such printer on this host:" + unknown + "; every known one was told to stop");
  }
  if (targets.empty()) {
    return fail(ErrorCode::bad_input, "stop whom? name printers, or say all");
  }
  return {};
}

Result<void> GuardServiceImpl::post(PrinterRuntime& printer, std::uint32_t bits, State wanted,
                                    const std::string& what) {
  printer.requests.fetch_or(bits, std::memory_order_acq_rel);
  core_.wake_estop();
  const auto until = std::chrono::steady_clock::now() + effect_wait;
  machine::Memory memory;
  do {
    std::this_thread::sleep_for(std::chrono::milliseconds{2});
    attend_stops_();
    if (printer.seen.load(memory) && memory.state == wanted) return {};
  } while (std::chrono::steady_clock::now() < until);
  return fail(ErrorCode::refused,
              fmt::format("{} did not {}: it is {}; look at `firebreak local status`",
                          printer.config.name, what, machine::name(memory.state)));
}

Result<void> GuardServiceImpl::reset_host(const ResetRequest& request, const Peer& peer) {
  HostMemory host;
  core_.host_seen.load(host);
  if (!host.latched) return fail(ErrorCode::refused, "the host is not latched");
  if (request.latch_number != host.generation) {
    return fail(ErrorCode::refused, fmt::format("latch number {} is not the host's: it is {}",
                                                request.latch_number, host.generation));
  }
  for (const auto& input : core_.inputs) {
    if (input->config.whole_host && input->pressed.load(std::memory_order_acquire)) {
      return fail(ErrorCode::refused, input->config.name + " is still pressed: release it first");
    }
  }
  core_.host_reset_request.store(host.generation);
  core_.wake_estop();
  const auto until = std::chrono::steady_clock::now() + effect_wait;
  while (std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(std::chrono::milliseconds{2});
    attend_stops_();
    if (core_.host_seen.load(host) && !host.latched) {
      record(EventKind::reset, nullptr, peer,
             "reset the host's latch: " + escape_untrusted(request.reason, 80));
      return {};
    }
  }
  return fail(ErrorCode::refused, "the host's latch did not clear: a new press came in");
}

Result<void> GuardServiceImpl::reset_group(PrinterRuntime& printer, const ResetClaim& claim,
                                           const Peer& peer, const std::string& reason) {
  std::vector<PrinterRuntime*> group{&printer};
  if (printer.relay != nullptr) {
    for (const auto index : printer.relay->members) {
      PrinterRuntime& member = *core_.printers[index];
      machine::Memory memory;
      const bool latched = member.seen.load(memory) && machine::latched(memory);
      if (&member != &printer && latched) group.push_back(&member);
    }
  }
  std::vector<std::string> blockers;
  for (auto* member : group) {
    ResetClaim own = claim;
    own.number_needed = claim.number_needed && member == &printer;
    for (auto& blocker : reset_blockers(core_, *member, own, monotonic_ns())) {
      blockers.push_back(std::move(blocker));
    }
  }
  if (!blockers.empty()) {
    record(EventKind::reset, &printer, peer, "reset refused: " + blockers.front());
    return fail(ErrorCode::refused, join(blockers));
  }
  for (auto* member : group) {
    if (auto done = post(*member, request::reset, State::probation, "go to probation"); !done) {
      return done;
    }
    record(EventKind::reset, member, peer, "reset: " + escape_untrusted(reason, 80));
  }
  return {};
}

Result<void> GuardServiceImpl::reset(const ResetRequest& request, const Peer& peer) {
  if (request.host) return reset_host(request, peer);
  ResetClaim claim;
  claim.right = ResetRight::machine;
  claim.latch_number = request.latch_number;
  claim.measured_celsius = request.measured_celsius;
  if (!request.all) {
    auto printer = find(request.printer);
    if (!printer) return fail(printer.error());
    return reset_group(**printer, claim, peer, request.reason);
  }
  // One dead printer never blocks another's reset: each is tried, the refusals are told together.
  claim.number_needed = false;
  std::string refusals;
  bool any = false;
  for (auto& printer : core_.printers) {
    machine::Memory memory;
    if (!printer->seen.load(memory) || memory.state != State::tripped) continue;
    const auto done = reset_group(*printer, claim, peer, request.reason);
    any = any || done.has_value();
    if (!done) refusals += (refusals.empty() ? "" : "; ") + done.error().message;
  }
  if (refusals.empty() && any) return {};
  return fail(ErrorCode::refused,
              refusals.empty() ? "no printer is waiting for a reset" : refusals);
}

Result<void> GuardServiceImpl::release(const std::string& name, const Peer& peer) {
  auto printer = find(name);
  if (!printer) return fail(printer.error());
  machine::Memory memory;
  (*printer)->seen.load(memory);
  if (memory.state != State::probation || memory.phase != machine::Phase::clean) {
    return fail(ErrorCode::refused,
                fmt::format("{} is {} ({}): a release needs a probation that is clean", name,
                            machine::name(memory.state), machine::name(memory.phase)));
  }
  auto done = post(**printer, request::release, State::armed, "arm: is it cold?");
  if (done) record(EventKind::release, *printer, peer, "released");
  return done;
}

Result<void> GuardServiceImpl::confirm(const std::string& name, const Peer& peer) {
  auto printer = find(name);
  if (!printer) return fail(printer.error());
  machine::Memory memory;
  MonitorFacts facts;
  (*printer)->seen.load(memory);
  (*printer)->monitor.load(facts);
  if (memory.state != State::probation || facts.confirm_due_ns == 0) {
    return fail(ErrorCode::refused,
                fmt::format("{} does not wait for a person's confirmation: it is {} ({})", name,
                            machine::name(memory.state), machine::name(memory.phase)));
  }
  (*printer)->confirmed_ns.store(monotonic_ns(), std::memory_order_release);
  record(EventKind::command, *printer, peer, "confirmed that nothing heats");
  return {};
}

Result<void> GuardServiceImpl::arm(const std::string& name, const Peer& peer) {
  auto printer = find(name);
  if (!printer) return fail(printer.error());
  machine::Memory memory;
  (*printer)->seen.load(memory);
  if (memory.state != State::armed && memory.state != State::watch) {
    return fail(ErrorCode::refused, fmt::format("{} is {}: reset and release it first", name,
                                                machine::name(memory.state)));
  }
  auto done = post(**printer, request::arm, State::armed, "arm");
  if (done) record(EventKind::command, *printer, peer, "armed");
  return done;
}

Result<void> GuardServiceImpl::watch(const std::string& name, int hours, const Peer& peer) {
  auto printer = find(name);
  if (!printer) return fail(printer.error());
  if (hours < 1 || hours > machine::times::watch_longest.count()) {
    return fail(ErrorCode::bad_input, fmt::format("watch mode lasts 1 to {} hours",
                                                  machine::times::watch_longest.count()));
  }
  (*printer)->watch_ns.store(std::chrono::nanoseconds{std::chrono::hours{hours}}.count());
  auto done = post(**printer, request::watch, State::watch, "go to watch mode");
  if (done) record(EventKind::command, *printer, peer, fmt::format("watch mode for {} h", hours));
  return done;
}

Result<void> GuardServiceImpl::restart(const Peer& peer) {
  if (!core_.keeps_descriptors) {
    return fail(ErrorCode::refused,
                "no service manager keeps the ports: a restart would stop every printer; use "
                "systemctl when all are cold");
  }
  record(EventKind::guard, nullptr, peer, "restart with the ports handed over");
  core_.mapped->layout().handed_over.store(1);
  core_.end.store(true);
  core_.wake_estop();
  return {};
}

Result<void> GuardServiceImpl::silence(const Peer& peer) {
  core_.silenced_until_ns.store(monotonic_ns() + std::chrono::nanoseconds{silence_time}.count());
  core_.wake_estop();
  record(EventKind::alarm, nullptr, peer, "alarm silenced for ten minutes; nothing is cleared");
  return {};
}

Result<void> GuardServiceImpl::unpark(const Peer& peer) {
  bool any = false;
  for (auto& printer : core_.printers) {
    machine::Memory memory;
    if (!printer->seen.load(memory) || memory.state != State::parked) continue;
    any = true;
    if (auto done = post(*printer, request::unpark, State::tripped, "leave parking"); !done) {
      return done;
    }
    record(EventKind::reset, printer.get(), peer, "ended parking");
  }
  if (!any) return fail(ErrorCode::refused, "no printer is parked");
  core_.forget_restarts.store(1);
  core_.wake_estop();
  return {};
}

Result<json> GuardServiceImpl::events(const std::string& log, std::uint64_t after, int limit) {
  return box_.events_after(log, static_cast<std::int64_t>(after), static_cast<std::size_t>(limit));
}

Result<void> GuardServiceImpl::mark_durable(const std::string& log, std::uint64_t sequence) {
  return box_.mark_durable(log, static_cast<std::int64_t>(sequence));
}

Result<json> GuardServiceImpl::challenge(const std::string& name, const Peer&) {
  auto printer = find(name);
  if (!printer) return fail(printer.error());
  machine::Memory memory;
  (*printer)->seen.load(memory);
  const auto bytes = grants_.issue(name, memory.generation);
  if (!bytes) return fail(bytes.error());
  return json{{"challenge", to_hex(*bytes)},
              {"generation", memory.generation},
              {"expires_ms", std::chrono::milliseconds{challenge_life}.count()},
              {"causes", cause_names(memory.causes)}};
}

Result<void> GuardServiceImpl::grant(const GrantAnswer& answer, const Peer& peer) {
  auto printer = find(answer.printer);
  if (!printer) return fail(printer.error());
  machine::Memory memory;
  (*printer)->seen.load(memory);
  const auto action = grants_.accept(answer.printer, answer.action, answer.challenge_hex,
                                     answer.signature_hex, memory.generation);
  if (!action) {
    record(EventKind::reset, *printer, peer, "grant refused: " + action.error().message);
    return fail(action.error());
  }
  if (*action != GrantAction::release) {
    ResetClaim claim;
    claim.number_needed = false;
    auto done =
        reset_group(**printer, claim, peer, "grant for " + escape_untrusted(answer.who, 60));
    if (!done || *action == GrantAction::reset) return done;
  }
  Peer person = peer;
  person.name = "grant for " + escape_untrusted(answer.who, 60);
  return release(answer.printer, person);
}

Result<void> GuardServiceImpl::may_serve(const std::string& name, const std::string& kind) {
  const auto printer = find(name);
  if (!printer) return fail(printer.error());
  const auto& config = (*printer)->config;
  if (config.link != LinkKind::network) {
    return fail(ErrorCode::refused, name + " is not a network printer in guard.yaml");
  }
  if (config.network != kind) {
    return fail(ErrorCode::refused,
                name + " is \"" + config.network + "\" in guard.yaml, and not \"" + kind + "\"");
  }
  return {};
}

void GuardServiceImpl::serve(const std::string& name, int fd) {
  const auto printer = find(name);
  if (printer && serve_) return serve_((*printer)->index, fd);
  ::close(fd);
}

Result<void> GuardServiceImpl::add_event(const json& event, const Peer& peer) {
  const auto text_of = [&](const char* key) {
    return event.contains(key) && event[key].is_string() ? event[key].get<std::string>()
                                                         : std::string();
  };
  const std::string severity = text_of("severity");
  auto entry = make_record(clock_, EventKind::network,
                           severity == "alarm"     ? Severity::alarm
                           : severity == "warning" ? Severity::warning
                                                   : Severity::info);
  if (const PrinterRuntime* printer = core_.find(text_of("printer"))) {
    entry.printer = static_cast<std::int16_t>(printer->index);
  }
  entry.set_text(escape_untrusted(text_of("text"), BlackBoxRecord::text_bytes));
  if (event.contains("data") && event["data"].is_object()) entry.set_data(event["data"].dump());
  entry.add("uid", peer.uid);
  if (!events_.push(entry)) {
    return fail(ErrorCode::unavailable, "the black box is behind: try again in a second");
  }
  return {};
}

Result<void> GuardServiceImpl::forget_restarts(const Peer&) {
  if (core_.config.board.kind != "sim") {
    return fail(ErrorCode::refused, "only the simulated board forgets restarts");
  }
  core_.forget_restarts.store(1);
  core_.wake_estop();
  return {};
}

}  // namespace firebreak::guard
