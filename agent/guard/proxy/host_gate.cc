#include "agent/guard/proxy/host_gate.h"

#include <charconv>

namespace firebreak::guard {
namespace {

/// Refusals closer together than this are one group, with one `Error:` line.
constexpr std::chrono::seconds group_gap{5};
/// No host has more lines on their way: Marlin's queue and receive ring hold fewer.
constexpr std::size_t acknowledged_at_latch = 32;

std::string_view why_refused(const GatePolicy& policy) noexcept {
  if (policy.allowlist_only)
    return " is stopped: nothing passes until it is reset at the machine\n";
  if (policy.commissioning) return " is being commissioned: print again when that is over\n";
  return " may not heat now: firebreak local status says why\n";
}

}  // namespace

HostGate::HostGate(std::string_view printer, HostLineObserver& observer) noexcept
    : observer_(observer) {
  printer_size_ = std::min(printer.size(), printer_.size());
  std::copy_n(printer.begin(), printer_size_, printer_.begin());
}

void HostGate::take(std::string_view bytes, const GatePolicy& policy, MonotonicTime now) noexcept {
  if (binary_) return take_binary(bytes, policy, now);
  for (const char byte : bytes) take_byte(byte, policy, now);
}

void HostGate::take_binary(std::string_view bytes, const GatePolicy& policy,
                           MonotonicTime now) noexcept {
  for (const char byte : bytes) {
    if (close_finder_.take(byte)) close_sent_ = close_finder_.sync();
  }
  if (policy.by_line()) return refuse(policy, now);
  to_port.append(bytes);
}

void HostGate::take_byte(char byte, const GatePolicy& policy, MonotonicTime now) noexcept {
  begin_line(policy);
  if (fate_ == Fate::passing) to_port.append({&byte, 1});
  if (!packing_known_) return take_character(byte, policy, now);
  const auto step = unpacker_.take(byte);
  if (step.command != 0) pass_command(step.command, policy);
  for (std::size_t i = 0; i < step.size; ++i) take_character(step.text[i], policy, now);
}

void HostGate::begin_line(const GatePolicy& policy) noexcept {
  if (size_ > 0 || too_long_ || fate_ == Fate::dropping || !unpacker_.at_boundary()) return;
  const bool reads = policy.by_line() || unpacker_.packs() != printer_unpacks_;
  fate_ = reads ? Fate::gathering : Fate::passing;
  if (policy.by_line() && printer_unpacks_) {
    to_port.append(meatpack::off);
    printer_unpacks_ = false;
  }
}

/// A command of the host's to the firmware's unpacking. Those that passed byte by byte have been
/// obeyed; the others are sent on where bytes may pass, so that both sides agree again.
void HostGate::pass_command(std::uint8_t command, const GatePolicy& policy) noexcept {
  if (fate_ != Fate::passing) {
    if (policy.by_line() || size_ > 0) return;
    const std::array<char, 3> bytes{meatpack::command_byte, meatpack::command_byte,
                                    static_cast<char>(command)};
    to_port.append({bytes.data(), bytes.size()});
  }
  printer_unpacks_ = unpacker_.packs();
}

void HostGate::take_character(char c, const GatePolicy& policy, MonotonicTime now) noexcept {
  if (c == '\n' || c == '\r') return end_line(c, policy, now);
  if (size_ < max_line) {
    line_[size_++] = c;
  } else {
    too_long_ = true;
  }
}

void HostGate::set_binary(bool on) noexcept {
  binary_ = on;
  close_sent_ = -1;
  close_finder_ = {};
  size_ = 0;
  too_long_ = false;
  fate_ = Fate::passing;
}

void HostGate::end_line(char end, const GatePolicy& policy, MonotonicTime now) noexcept {
  const std::string_view text{line_.data(), size_};
  const HostLine line = parse_host_line(text);
  bool passed = fate_ == Fate::passing;
  if (fate_ == Fate::gathering && line.answered) {
    const bool allowlist = policy.allowlist_only || policy.commissioning;
    passed = !too_long_ && (!allowlist || line.allowed) && (!policy.no_new_heat || !line.heats);
    if (passed) {
      to_port.append(text);
      to_port.append({&end, 1});
    }
  }
  if (line.answered && !passed) {
    refuse(policy, now);
    const bool replaced = !policy.allowlist_only && put_question(line.line_number);
    if (replaced) {
      observer_.on_host_line(parse_host_line("M105"), "M105", true);
    } else {
      replies.append("ok\n");
    }
  }
  if (line.answered) observer_.on_host_line(line, text, passed);
  size_ = 0;
  too_long_ = false;
  fate_ = Fate::passing;
}

void HostGate::refuse(const GatePolicy& policy, MonotonicTime now) noexcept {
  const bool new_group =
      !refused_before_ || !(policy == refused_policy_) || now - refused_at_ >= group_gap;
  refused_before_ = true;
  refused_policy_ = policy;
  refused_at_ = now;
  if (new_group) tell("Error:", policy);
}

void HostGate::tell(std::string_view form, const GatePolicy& policy) noexcept {
  if (replies.room() < 256) return;
  replies.append(form);
  replies.append("Firebreak: printer ");
  replies.append({printer_.data(), printer_size_});
  replies.append(why_refused(policy));
}

/// `N5 M105*36`: keeps the numbering, changes nothing, and is acknowledged like the line itself.
bool HostGate::put_question(std::int64_t number) noexcept {
  if (number < 0) return false;
  std::array<char, 32> room{};
  auto* end = room.data();
  *end++ = 'N';
  end = std::to_chars(end, room.data() + 16, number).ptr;
  end = std::copy_n(" M105", 5, end);
  unsigned checksum = 0;
  for (const char* c = room.data(); c != end; ++c) checksum ^= static_cast<unsigned char>(*c);
  *end++ = '*';
  end = std::to_chars(end, room.data() + room.size() - 1, checksum).ptr;
  *end++ = '\n';
  return to_port.append({room.data(), static_cast<std::size_t>(end - room.data())});
}

void HostGate::latch(std::size_t unanswered) noexcept {
  to_port.clear();
  printer_unpacks_ = false;  // The stop begins with the command for it.
  if (fate_ == Fate::passing && (size_ > 0 || too_long_)) fate_ = Fate::dropping;
  refused_before_ = false;
  replies.append("//action:cancel\n");
  for (std::size_t i = 0; i < std::min(unanswered, acknowledged_at_latch); ++i) {
    replies.append("ok\n");
  }
  GatePolicy stopped;
  stopped.allowlist_only = true;
  for (const auto form : {"//action:notification ", "!! ", "Error:"}) tell(form, stopped);
}

void HostGate::end_session(bool port_lives) noexcept {
  const bool begun = fate_ == Fate::passing && size_ > 0;
  size_ = 0;
  too_long_ = false;
  fate_ = Fate::passing;
  to_port.clear();
  replies.clear();
  // The next host speaks plainly until it says otherwise.
  if (printer_unpacks_ && port_lives) to_port.append(meatpack::off);
  unpacker_.reset();
  printer_unpacks_ = false;
  if (begun && port_lives) to_port.append("\n");
}

}  // namespace firebreak::guard
