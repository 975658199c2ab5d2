#include "agent/guard/hardware/relays.h"

namespace firebreak::guard {

Result<std::unique_ptr<Relay>> Relay::claim(const RelayConfig& config, Board& board, bool resume) {
  auto relay = std::unique_ptr<Relay>(new Relay(config, board));
  if (!config.feedback_line.empty()) {
    const auto line = board.claim_input(config.feedback_line);
    if (!line) return fail(line.error().within("relay " + config.name));
    relay->feedback_ = *line;
  }
  const auto main = board.claim_output(config.line, false);
  if (!main) return fail(main.error().within("relay " + config.name));
  relay->main_ = *main;
  if (!config.drop_line.empty()) {
    const auto drop = board.claim_output(config.drop_line, resume);
    if (!drop) return fail(drop.error().within("relay " + config.name));
    relay->drop_ = *drop;
  }
  return relay;
}

bool Relay::apply(bool closed) noexcept {
  if (closed) {
    bool taken = true;
    if (drop_ != no_line) taken = board_.set(drop_, true);
    if (!config_.heartbeat) taken = board_.set(main_, true) && taken;
    allowed_.store(true, std::memory_order_release);
    return taken;
  }
  allowed_.store(false, std::memory_order_release);
  bool taken = true;
  if (drop_ != no_line) taken = board_.set(drop_, false);
  if (!config_.heartbeat) taken = board_.set(main_, false) && taken;
  return taken;
}

void Relay::pulse() noexcept {
  if (!config_.heartbeat || !allowed_.load(std::memory_order_acquire)) return;
  const bool next = !pulse_level_.load(std::memory_order_relaxed);
  pulse_level_.store(next, std::memory_order_relaxed);
  board_.set(main_, next);
}

machine::Feedback Relay::feedback() const noexcept {
  if (feedback_ == no_line) return machine::Feedback::none;
  return board_.level(feedback_) ? machine::Feedback::closed : machine::Feedback::open;
}

std::int64_t Relay::feedback_limit_ns() const noexcept {
  std::chrono::nanoseconds limit = machine::times::feedback;
  if (config_.heartbeat && config_.drop_line.empty()) limit += config_.hold;
  return limit.count();
}

}  // namespace firebreak::guard
