#include "agent/guard/monitor/printer_monitor.h"

#include <algorithm>
#include <bit>

namespace firebreak::guard {

using machine::Phase;
using machine::State;
using thermal::StepInput;

namespace {

constexpr std::int64_t second_ns = 1'000'000'000;
/// A halt text this long before a stop is the reason of the stop, and so its acknowledgement too.
constexpr std::int64_t halt_belongs_ns = 2 * second_ns;
/// Reports that were on their way when the latch was set still show the old target.
constexpr std::int64_t grace_ns = 2 * second_ns;
constexpr std::uint32_t cold_minutes_max = 60;

}  // namespace

PrinterMonitor::PrinterMonitor(GuardCore& core, PrinterRuntime& printer, DetectorMemory& memory,
                               EventQueue& events, SampleQueue& samples, const Clock& clock)
    : core_(core),
      printer_(printer),
      memory_(memory),
      events_(events),
      samples_(samples),
      clock_(clock),
      rules_(printer.config.profile, memory.thermal),
      cooling_(printer.config.profile, memory.cooling),
      heat_(printer.config.profile, memory.heat),
      probation_(printer.config.profile, memory.probation),
      orphan_(memory.heat_up != 0) {
  for (const auto& sensor : printer.own_currents) {
    currents_.emplace_back(memory.current[std::min(sensor.heater, max_heaters - 1)]);
  }
  follow_models();
}

bool PrinterMonitor::on_guard() const noexcept {
  return machine_.state == State::armed || machine_.state == State::watch;
}

bool PrinterMonitor::has_halted() const noexcept {
  return memory_.halted_ns != 0 && memory_.halted_ns >= machine_.stopped_ns - halt_belongs_ns;
}

bool PrinterMonitor::targets_were_zero() const noexcept {
  const auto heaters = printer_.config.profile.heaters.size();
  return std::all_of(readings_.heaters.begin(),
                     readings_.heaters.begin() + static_cast<std::ptrdiff_t>(heaters),
                     [](const HeaterReading& reading) { return reading.target_celsius == 0; });
}

StepInput PrinterMonitor::look(std::int64_t now_ns, std::uint32_t link_events) noexcept {
  StepInput input;
  input.now_ns = now_ns;
  const bool relay_open = printer_.relay != nullptr && !printer_.relay->commanded_closed();
  input.stopped = machine::latched(machine_) || relay_open;
  input.hold_blind = machine_.state == State::probation;
  // Watch mode mutes the verdicts that rest on a model (D2, D4, D6), and no others.
  input.mute_model = machine_.state == State::watch;
  const bool network = printer_.config.link == LinkKind::network;
  input.network = network;
  input.protection_verified =
      network && printer_.shared.protection_verified.load(std::memory_order_acquire) != 0;
  input.restarting = printer_.config.link == LinkKind::klipper && targets_were_zero() &&
                     printer_.shared.link_state.load(std::memory_order_acquire) != LinkState::ready;
  input.target_commanded = (link_events & link_event::host_heats) != 0;
  const auto& heaters = printer_.config.profile.heaters;
  for (const auto& sensor : printer_.own_sensors) {
    if (sensor.heater >= heaters.size()) continue;
    auto& own = input.own[sensor.heater];
    own.present = true;
    core_.board->own_reading(sensor.line, own.celsius, own.at_ns);
  }
  return input;
}

// Starts and ends the watches that belong to a state, once for each stop, reset and closing. All
// keys are in mapped memory: a restarted guard goes on watching the same stop.
void PrinterMonitor::follow_state(const StepInput& input) noexcept {
  if (machine::latched(machine_)) {
    memory_.latched_causes = machine_.causes;
    if (memory_.stop_ns != machine_.stopped_ns) {
      memory_.stop_ns = machine_.stopped_ns;
      memory_.acknowledged_ns = 0;
      cooling_.begin(input, readings_, rules_);
      heat_.begin(input.now_ns);
    }
    return;
  }
  if (machine_.state == State::probation && memory_.reset_ns != machine_.entered_ns) {
    memory_.reset_ns = machine_.entered_ns;
    memory_.halted_ns = 0;
    rules_.forget();
    cooling_.end();
    heat_.end();
    memory_.stop_ns = 0;
  }
  const bool powered = machine_.state == State::probation && machine_.phase != Phase::reviving;
  if (powered && memory_.probation_ns != machine_.closed_ns) {
    memory_.probation_ns = machine_.closed_ns;
    probation_.begin(input.now_ns, (memory_.latched_causes & immediate_causes) != 0);
  }
  if (!powered && probation_.running()) probation_.end();
}

CauseSet PrinterMonitor::judge_firmware(std::uint32_t link_events, std::int64_t now_ns) noexcept {
  CauseSet causes = 0;
  if (link_events & link_event::boot_banner) memory_.halted_ns = 0;
  if (link_events & (link_event::halt_text | link_event::thermal_fault)) memory_.halted_ns = now_ns;
  const bool on_probation = machine_.state == State::probation;
  if (!on_guard() && !on_probation) return 0;
  // What a board says before it is revived, its power off, is its late answer to the last stop.
  const bool answers_the_stop = on_probation && machine_.phase == Phase::reviving;
  if (!answers_the_stop && (link_events & link_event::halt_text)) {
    causes |= bit(Cause::firmware_halt);
  }
  if (!answers_the_stop && (link_events & link_event::thermal_fault)) {
    causes |= bit(Cause::firmware_thermal);
    rules_.doubt(max_heaters);
  }
  if (link_events & link_event::wrong_identity) causes |= bit(Cause::wrong_printer);
  return causes;
}

/// A heat-up of the guard's own goes on only with its person, its thread and its guard.
CauseSet PrinterMonitor::judge_heat_up(std::int64_t now_ns) noexcept {
  const std::int64_t due_ns = printer_.heat_up_due_ns.load(std::memory_order_acquire);
  const bool latched = machine::latched(machine_);
  if (latched) orphan_ = false;
  memory_.heat_up = due_ns != 0 || orphan_ ? 1 : 0;
  const bool missed = due_ns != 0 && now_ns > due_ns;
  return (missed || orphan_) && !latched ? bit(Cause::unattended) : 0;
}

CauseSet PrinterMonitor::judge_currents(const StepInput& input) noexcept {
  CauseSet causes = 0;
  for (std::size_t i = 0; i < currents_.size(); ++i) {
    const auto& sensor = printer_.own_currents[i];
    const auto& reading = readings_.heaters[sensor.heater];
    thermal::CurrentView view;
    view.now_ns = input.now_ns;
    core_.board->own_reading(sensor.line, view.amps, view.amps_at_ns);
    view.target_celsius = reading.target_celsius;
    view.duty = reading.duty;
    view.reported_at_ns = std::min(reading.celsius_at_ns, reading.target_at_ns);
    view.relay_open = printer_.relay != nullptr && !printer_.relay->commanded_closed();
    view.relay_since_ns = printer_.relay == nullptr ? 0 : printer_.relay->commanded_at_ns();
    view.stopped = input.stopped;
    const auto found = currents_[i].step(view);
    if (found.trips) causes |= bit(found.cause);
    if (found.onset) record_current(sensor.heater, view, found);
  }
  return causes;
}

void PrinterMonitor::record_current(std::size_t heater, const thermal::CurrentView& view,
                                    const thermal::CurrentFinding& found) noexcept {
  auto event = make_record(clock_, found.trips ? EventKind::trip : EventKind::warning,
                           found.trips ? Severity::alarm : Severity::warning,
                           static_cast<std::int16_t>(printer_.index));
  event.format_text("{}: {:.2f} A: {}", printer_.config.profile.heaters[heater].name, view.amps,
                    found.sentence);
  event.add("heater", heater);
  event.add("amps", view.amps);
  event.add("target", view.target_celsius);
  event.add("duty", view.duty);
  event.format_data(R"({{"rule":"{}","detector":"D8"}})", found.rule);
  events_.push(event);
}

void PrinterMonitor::follow_models() noexcept {
  ModelsInUse models;
  if (!printer_.models.load(models) || models.serial == models_serial_) return;
  models_serial_ = models.serial;
  const auto& heaters = printer_.config.profile.heaters;
  for (std::size_t i = 0; i < heaters.size(); ++i) {
    const auto& model = models.heaters[i];
    rules_.use(i, model.learned != 0 ? model : thermal::wide_model(heaters[i]));
  }
}

/// For how long D6 has been warning without a pause of more than a minute.
void PrinterMonitor::follow_drift(const thermal::StepReport& report, std::int64_t now_ns) noexcept {
  std::uint32_t drifts = 0;
  for (const auto& verdict : report.all()) {
    const bool drift =
        verdict.rule == thermal::Rule::drift_more || verdict.rule == thermal::Rule::drift_less;
    if (drift) drifts |= 1U << verdict.heater;
  }
  if (drifts != 0) {
    drift_seen_ns_ = now_ns;
    std::int64_t none = 0;
    printer_.drifting_heaters.fetch_or(drifts, std::memory_order_acq_rel);
    printer_.drifting_ns.compare_exchange_strong(none, now_ns);
  } else if (now_ns - drift_seen_ns_ > 60 * second_ns) {
    printer_.drifting_heaters.store(0, std::memory_order_release);
    printer_.drifting_ns.store(0, std::memory_order_release);
  }
}

CauseSet PrinterMonitor::judge_probation(const StepInput& input, MonitorFacts& facts) noexcept {
  if (!probation_.running()) return 0;
  using thermal::ProbationVerdict;
  probation_.confirm(printer_.confirmed_ns.load(std::memory_order_acquire));
  facts.confirm_due_ns = probation_.confirm_due_ns(input);
  const std::uint32_t trusted = printer_.trusted_heaters.load(std::memory_order_relaxed);
  const LinkState link = printer_.shared.link_state.load(std::memory_order_acquire);
  // A report counts only from the printer that is expected here.
  const auto verdict = probation_.step(input, readings_, link == LinkState::ready ? trusted : 0);
  switch (verdict) {
    case ProbationVerdict::waiting: return 0;
    case ProbationVerdict::watching:
    case ProbationVerdict::clean: facts.first_report = true; return 0;
    case ProbationVerdict::heat: facts.sign_of_heat = true; return 0;
    case ProbationVerdict::late_report:
    case ProbationVerdict::fell_silent: return bit(Cause::blind);
  }
  return bit(Cause::blind);
}

void PrinterMonitor::judge_stop(const StepInput& input, std::uint32_t link_events,
                                MonitorFacts& facts) noexcept {
  if (!machine::latched(machine_)) return;
  const bool halted = has_halted();
  const auto result = cooling_.step(input, readings_, rules_, halted);
  facts.cooled = result.cooled;
  facts.cooled_elsewhere = result.cooled_elsewhere;
  facts.risen = result.risen;
  facts.target_positive = result.target_positive;
  if (memory_.acknowledged_ns == 0 && (halted || result.acknowledged)) {
    memory_.acknowledged_ns = input.now_ns;
  }
  facts.acknowledged = memory_.acknowledged_ns != 0;
  const std::int64_t heard_ns = std::max(readings_.line_at_ns, memory_.acknowledged_ns);
  facts.silent = facts.acknowledged &&
                 input.now_ns - heard_ns >
                     std::chrono::nanoseconds{machine::times::silence_after_acknowledge}.count();

  const bool after_grace = input.now_ns - machine_.stopped_ns > grace_ns;
  const bool revived = (link_events & link_event::boot_banner) != 0;
  const bool target =
      after_grace && (link_events & (link_event::target_positive | link_event::duty_positive)) != 0;
  facts.sign_of_heat = heat_.step(input, readings_) != 0 || revived || target;
}

bool PrinterMonitor::may_be_hot(const StepInput& input, std::uint32_t possibly_hot) const noexcept {
  const auto& heaters = printer_.config.profile.heaters;
  for (std::size_t i = 0; i < heaters.size(); ++i) {
    if ((possibly_hot & (1U << i)) == 0) continue;
    const auto& own = input.own[i];
    const bool known_cold = own.present && own.at_ns != 0 &&
                            input.now_ns - own.at_ns < 3 * second_ns &&
                            own.celsius < static_cast<float>(heaters[i].safe_celsius);
    if (!known_cold) return true;
  }
  return false;
}

std::int64_t PrinterMonitor::window_ns() const noexcept {
  double longest_s = 0;
  const auto& heaters = printer_.config.profile.heaters;
  for (std::size_t i = 0; i < heaters.size(); ++i) {
    const float celsius = readings_.heaters[i].celsius;
    if (std::isnan(celsius)) return 0;
    longest_s =
        std::max(longest_s, thermal::CoolingProof::window_s(heaters[i].kind, celsius,
                                                            rules_.quantum(i), rules_.model(i)));
  }
  return static_cast<std::int64_t>(longest_s * 1e9);
}

void PrinterMonitor::raise(CauseSet causes) noexcept {
  if (machine_.state == State::boot) return;
  // A verdict is repeated for as long as it holds; a latch takes each cause once.
  if (machine::latched(machine_)) causes &= ~machine_.causes;
  if (causes != 0) core_.raise(printer_, causes);
}

void PrinterMonitor::record_verdicts(const thermal::StepReport& report) noexcept {
  bool blind = false;
  for (const auto& verdict : report.all()) {
    blind = blind || verdict.rule == thermal::Rule::blind;
    if (!verdict.onset) continue;
    const bool trip = verdict.level == thermal::Level::trip && !verdict.muted;
    auto event = make_record(clock_, trip ? EventKind::trip : EventKind::warning,
                             trip ? Severity::alarm : Severity::warning,
                             static_cast<std::int16_t>(printer_.index));
    event.set_text(verdict.text.data());
    const auto& reading = readings_.heaters[verdict.heater];
    event.add("heater", verdict.heater);
    event.add("celsius", reading.celsius);
    event.add("target", reading.target_celsius);
    event.add("duty", reading.duty);
    if (std::isfinite(verdict.unexplained_power)) {
      event.add("unexplained_power", verdict.unexplained_power);
    }
    event.format_data(R"({{"rule":"{}","detector":"{}"{}{}}})", thermal::info(verdict.rule).name,
                      thermal::detector(verdict.rule), verdict.muted ? R"(,"muted":true)" : "",
                      verdict.widened ? R"(,"widened":true)" : "");
    events_.push(event);
  }
  printer_.blind.store(blind, std::memory_order_release);
}

void PrinterMonitor::record_samples(std::int64_t now_ns) noexcept {
  if (now_ns - sampled_ns_ < second_ns) return;
  sampled_ns_ = now_ns;
  const std::int64_t wall_ms = clock_.wall().time_since_epoch().count();
  for (std::size_t i = 0; i < printer_.config.profile.heaters.size(); ++i) {
    const auto& reading = readings_.heaters[i];
    Sample sample;
    sample.mono_ns = now_ns;
    sample.wall_ms = wall_ms;
    sample.printer = static_cast<std::uint16_t>(printer_.index);
    sample.heater = static_cast<std::uint16_t>(i);
    // A reading that is older than three seconds is no sample of now.
    if (reading.celsius_at_ns != 0 && now_ns - reading.celsius_at_ns < 3 * second_ns) {
      sample.celsius = reading.celsius;
      sample.target_celsius = reading.target_celsius;
      sample.duty = reading.duty;
    }
    samples_.push(sample);
  }
}

void PrinterMonitor::step(std::int64_t now_ns) noexcept {
  printer_.seen.load(machine_);
  printer_.shared.readings.load(readings_);
  const std::uint32_t link_events = printer_.shared.events.exchange(0, std::memory_order_acq_rel);
  follow_models();
  const StepInput input = look(now_ns, link_events);
  follow_state(input);
  const auto& report = rules_.step(input, readings_);
  printer_.trusted_heaters.store(report.trusted, std::memory_order_release);

  MonitorFacts facts;
  facts.for_state = machine_.state;
  facts.for_entered_ns = machine_.entered_ns;
  CauseSet causes = report.trips;
  causes |= judge_firmware(link_events, now_ns);
  causes |= judge_heat_up(now_ns);
  causes |= judge_currents(input);
  causes |= judge_probation(input, facts);
  judge_stop(input, link_events, facts);
  facts.hot = may_be_hot(input, report.possibly_hot);
  facts.window_ns = window_ns();
  printer_.monitor.store(facts);
  raise(causes);

  const bool idle = !facts.hot && printer_.shared.printing.load(std::memory_order_acquire) == 0;
  if (!idle) memory_.cold_since_ns = now_ns;
  const auto minutes =
      static_cast<std::uint32_t>((now_ns - memory_.cold_since_ns) / (60 * second_ns));
  printer_.cold_minutes.store(std::min(minutes, cold_minutes_max), std::memory_order_release);
  record_verdicts(report);
  follow_drift(report, now_ns);
  record_samples(now_ns);
}

}  // namespace firebreak::guard
