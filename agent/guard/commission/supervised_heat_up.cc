#include "agent/guard/commission/supervised_heat_up.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace firebreak::guard::commission {
namespace {

constexpr std::int64_t second_ns = 1'000'000'000;
/// A firmware that is not busy acknowledges a target within a report's time.
constexpr std::int64_t acknowledge_limit_ns = 10 * second_ns;
/// A new target shows in the second report after it; reports may come each 5 s.
constexpr std::int64_t target_limit_ns = 12 * second_ns;
/// This thread looks ten times a second: without a look for so long it hangs.
constexpr std::int64_t own_life_ns = 2 * second_ns;
/// How near to its target a heater has reached it (bang-bang beds swing by more, and pass it).
constexpr float reached_kelvin = 2.5F;
/// A stop shows in the machine's state within milliseconds.
constexpr std::int64_t latch_limit_ns = 5 * second_ns;
/// Long past on the monotonic clock: the monitor stops the printer at its next look.
constexpr std::int64_t overdue_ns = 1;

}  // namespace

SupervisedHeatUp::SupervisedHeatUp(PrinterRuntime& printer, std::int64_t now_ns)
    : printer_(printer),
      plan_(heat_up_plan(printer.config.profile)),
      started_ns_(now_ns),
      confirmed_ns_(now_ns),
      watched_ns_(now_ns),
      samples_(printer.config.profile.heaters.size()) {
  printer_.shared.commissioning.store(1);
  renew(now_ns);
  enter(0, now_ns);
  // Whatever a host has left the part fan at: from here on it is known.
  if (printer.config.profile.fan_is_not_heatbreak) orders_.push_front("M107");
}

SupervisedHeatUp::~SupervisedHeatUp() { let_go(); }

void SupervisedHeatUp::let_go() noexcept {
  // Heat that is not known to have ended stays the monitor's business.
  const bool safe = state_ == State::finished || state_ == State::failed;
  if (safe) printer_.heat_up_due_ns.store(0, std::memory_order_release);
  if (!safe) printer_.heat_up_due_ns.store(overdue_ns, std::memory_order_release);
  printer_.shared.commissioning.store(0);
}

void SupervisedHeatUp::enter(std::size_t stage, std::int64_t now_ns) {
  const Stage idle{};
  const auto lines =
      orders_for(printer_.config.profile, stage == 0 ? idle : plan_[stage - 1], plan_[stage]);
  orders_.insert(orders_.end(), lines.begin(), lines.end());
  stage_ = stage;
  stage_since_ns_ = 0;
  ordered_ns_ = now_ns;
  unlike_since_ns_ = 0;
}

void SupervisedHeatUp::confirm(std::int64_t now_ns) noexcept {
  confirmed_ns_ = watched_ns_ = now_ns;
}

void SupervisedHeatUp::cancel(const std::string& who) { go_wrong("ended by " + who); }

void SupervisedHeatUp::go_wrong(const std::string& why) {
  if (state_ != State::running) return;
  reason_ = why;
  state_ = State::ending;
  ending_since_ns_ = 0;
  printer_.heat_up_due_ns.store(overdue_ns, std::memory_order_release);
}

void SupervisedHeatUp::renew(std::int64_t now_ns) noexcept {
  const auto ns = [](std::chrono::seconds time) { return std::chrono::nanoseconds{time}.count(); };
  const std::int64_t due_ns = std::min(
      {confirmed_ns_ + ns(confirm_every), watched_ns_ + ns(asks_every), now_ns + own_life_ns});
  printer_.heat_up_due_ns.store(due_ns, std::memory_order_release);
}

std::int64_t SupervisedHeatUp::confirm_left_ns(std::int64_t now_ns) const noexcept {
  return confirmed_ns_ + std::chrono::nanoseconds{confirm_every}.count() - now_ns;
}

std::int64_t SupervisedHeatUp::stage_left_ns(std::int64_t now_ns) const noexcept {
  const std::int64_t lasts_ns = std::chrono::nanoseconds{plan_[stage_].lasts}.count();
  return stage_since_ns_ == 0 ? lasts_ns : stage_since_ns_ + lasts_ns - now_ns;
}

void SupervisedHeatUp::gather() {
  printer_.shared.readings.load(readings_);
  for (std::size_t i = 0; i < samples_.size(); ++i) {
    const auto& reading = readings_.heaters[i];
    if (reading.reports == taken_[i] || reading.celsius_at_ns < started_ns_) continue;
    taken_[i] = reading.reports;
    thermal::HeatUpSample sample;
    sample.t_s =
        static_cast<float>(static_cast<double>(reading.celsius_at_ns - started_ns_) * 1e-9);
    sample.celsius = reading.celsius;
    sample.target_celsius = reading.target_celsius;
    sample.duty = reading.duty;
    sample.fan = readings_.fan;
    sample.flow_mm3_per_s = 0;  // No move passes while the guard heats.
    samples_[i].push_back(sample);
  }
}

void SupervisedHeatUp::send_orders(std::int64_t now_ns) {
  if (order_waits_) {
    if (printer_.shared.own_order_done.load() == order_serial_) {
      order_waits_ = false;
    } else if (now_ns - ordered_ns_ > acknowledge_limit_ns) {
      return go_wrong("the printer does not acknowledge what it is told");
    }
  }
  if (order_waits_) return;
  if (orders_.empty()) {
    if (stage_since_ns_ == 0) stage_since_ns_ = now_ns;
    return;
  }
  OwnOrder order;
  printer_.shared.own_order.load(order);
  OwnOrder next;
  next.serial = order_serial_ = order.serial + 1;
  next.until_ns = now_ns + acknowledge_limit_ns;
  orders_.front().copy(next.line, sizeof(next.line) - 1);
  orders_.pop_front();
  printer_.shared.own_order.store(next);
  order_waits_ = true;
  ordered_ns_ = now_ns;
}

/// Why the person counts as gone; empty while they are there.
std::string SupervisedHeatUp::person_is_gone(std::int64_t now_ns) const {
  if (confirm_left_ns(now_ns) <= 0) return "nobody confirmed within 60 s";
  const bool closed = now_ns - watched_ns_ >= std::chrono::nanoseconds{asks_every}.count();
  return closed ? "the command line was closed" : "";
}

bool SupervisedHeatUp::machine_is_ready(std::int64_t now_ns) {
  machine::Memory memory;
  printer_.seen.load(memory);
  if (machine::latched(memory)) {
    // The monitor keeps the same deadlines, and may have been first.
    reason_ = person_is_gone(now_ns);
    if (reason_.empty()) {
      reason_ = fmt::format("the printer was stopped: it is {}", machine::name(memory.state));
    }
    state_ = State::failed;
    let_go();
    return false;
  }
  if (memory.state != machine::State::armed) {
    go_wrong(fmt::format("the printer is {}, no longer armed", machine::name(memory.state)));
    return false;
  }
  const LinkState link = printer_.shared.link_state.load(std::memory_order_acquire);
  if (link == LinkState::ready) return true;
  go_wrong("the printer was lost");
  return false;
}

bool SupervisedHeatUp::targets_are_ours(std::int64_t now_ns) {
  if (stage_since_ns_ == 0) return true;
  for (std::size_t i = 0; i < samples_.size(); ++i) {
    const float told = readings_.heaters[i].target_celsius;
    if (std::fabs(told - plan_[stage_].targets[i]) <= 1) continue;
    if (unlike_since_ns_ == 0) unlike_since_ns_ = now_ns;
    if (now_ns - unlike_since_ns_ < target_limit_ns) return true;
    go_wrong(fmt::format("the target of {} is {:.0f}, not {:.0f}: somebody else gives orders",
                         printer_.config.profile.heaters[i].name, told, plan_[stage_].targets[i]));
    return false;
  }
  unlike_since_ns_ = 0;
  return true;
}

bool SupervisedHeatUp::reached() const noexcept {
  for (std::size_t i = 0; i < samples_.size(); ++i) {
    const float target = plan_[stage_].targets[i];
    if (target <= 0) continue;
    // NaN has not reached anything.
    if (!(std::fabs(readings_.heaters[i].celsius - target) <= reached_kelvin)) return false;
  }
  return true;
}

void SupervisedHeatUp::step(std::int64_t now_ns) {
  if (state_ == State::ending) {
    if (ending_since_ns_ == 0) ending_since_ns_ = now_ns;
    machine::Memory memory;
    printer_.seen.load(memory);
    const bool over = machine::latched(memory);
    if (over) state_ = State::failed;
    if (over || now_ns - ending_since_ns_ > latch_limit_ns) let_go();
    return;
  }
  if (state_ != State::running) return;
  gather();
  if (!machine_is_ready(now_ns)) return;
  if (const auto gone = person_is_gone(now_ns); !gone.empty()) return go_wrong(gone);
  renew(now_ns);
  send_orders(now_ns);
  if (state_ != State::running || !targets_are_ours(now_ns) || stage_since_ns_ == 0) return;
  const bool over = stage_left_ns(now_ns) <= 0;
  const Stage& now = plan_[stage_];
  if (now.until_reached && over && !reached()) {
    return go_wrong(now.name + fmt::format(": not reached within {} min", now.lasts.count() / 60));
  }
  if (!(over || (now.until_reached && reached()))) return;
  if (stage_ + 1 < plan_.size()) return enter(stage_ + 1, now_ns);
  // Nothing heats any more: from here on nobody must renew anything.
  state_ = State::finished;
  let_go();
}

}  // namespace firebreak::guard::commission
