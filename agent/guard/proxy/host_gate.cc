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
  for (const char byte : bytes) take_byte(byte, policy, now);
}

void HostGate::take_byte(char byte, const GatePolicy& policy, MonotonicTime now) noexcept {
  if (size_ == 0 && !too_long_ && fate_ != Fate::dropping) {
    fate_ = policy.by_line() ? Fate::gathering : Fate::passing;
  }
  if (fate_ == Fate::passing) to_port.append({&byte, 1});
  if (byte == '\n' || byte == '\r') return end_line(byte, policy, now);
  if (size_ < max_line) {
    line_[size_++] = byte;
  } else {
    too_long_ = true;
  }
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
  if (begun && port_lives) to_port.append("\n");
}

}  // namespace firebreak::guard
