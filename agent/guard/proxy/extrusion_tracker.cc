#include "agent/guard/proxy/extrusion_tracker.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace firebreak::guard {
namespace {

/// 1.75 mm filament; 2.85 mm machines are rare, and would show 2.7 times less than they melt.
constexpr double filament_mm2 = 2.405;
constexpr double longest_move_mm = 2000;
constexpr double fastest_mm_per_s = 1000;
constexpr double most_e_mm = 1e6;
constexpr double most_flow_mm3_per_s = 60;
/// What Marlin's planner and receive queue hold at most.
constexpr double longest_queue_s = 10;
constexpr double mean_s = 3;

char upper(char c) noexcept { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }
bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

/// The command without line number, comment and checksum.
std::string_view command_of(std::string_view line) noexcept {
  const auto skip_blanks = [&] {
    while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
  };
  skip_blanks();
  if (line.size() > 1 && upper(line[0]) == 'N' && is_digit(line[1])) {
    line.remove_prefix(1);
    while (!line.empty() && is_digit(line.front())) line.remove_prefix(1);
    skip_blanks();
  }
  return line.substr(0, line.find_first_of(";*"));
}

/// The number behind `letter`, clamped; false if there is none.
bool parameter(std::string_view text, char letter, double most, double& value) noexcept {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (upper(text[i]) != letter) continue;
    auto rest = text.substr(i + 1);
    while (!rest.empty() && (rest.front() == ' ' || rest.front() == '+')) rest.remove_prefix(1);
    double number = 0;
    const auto result =
        std::from_chars(rest.data(), rest.data() + rest.size(), number, std::chars_format::fixed);
    if (result.ec != std::errc{} || !std::isfinite(number)) return false;
    value = std::clamp(number, -most, most);
    return true;
  }
  return false;
}

}  // namespace

void ExtrusionTracker::take(std::string_view line, std::int64_t now_ns) noexcept {
  auto text = command_of(line);
  if (text.size() < 2) return;
  const char letter = upper(text.front());
  text.remove_prefix(1);
  unsigned number = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
  if (result.ec != std::errc{}) return;
  text.remove_prefix(static_cast<std::size_t>(result.ptr - text.data()));
  if (letter == 'T') e_ = 0;
  if (letter == 'M') {
    double percent = 0;
    if (number == 82) relative_e_ = false;
    if (number == 83) relative_e_ = true;
    if (number == 221 && parameter(text, 'S', 1000, percent)) factor_ = std::fabs(percent) / 100;
    return;
  }
  if (letter != 'G') return;
  if (number == 90 || number == 91) {
    relative_ = number == 91;
    relative_e_ = relative_;  // As Marlin: G90 and G91 set the extruder too; M82/M83 come after.
  }
  if (number == 92) {
    parameter(text, 'E', most_e_mm, e_);
    parameter(text, 'X', longest_move_mm, x_);
    parameter(text, 'Y', longest_move_mm, y_);
    parameter(text, 'Z', longest_move_mm, z_);
  }
  if (number <= 3) move(text, now_ns);
}

void ExtrusionTracker::move(std::string_view text, std::int64_t now_ns) noexcept {
  double feed = 0;
  if (parameter(text, 'F', fastest_mm_per_s * 60, feed) && feed > 0) feed_ = feed / 60;
  const auto go = [&](char axis, double& position, bool relative, double most) {
    double to = 0;
    if (!parameter(text, axis, most, to)) return 0.0;
    const double by = relative ? to : to - position;
    position = std::clamp(position + by, -most, most);
    return by;
  };
  const double dx = go('X', x_, relative_, longest_move_mm);
  const double dy = go('Y', y_, relative_, longest_move_mm);
  const double dz = go('Z', z_, relative_, longest_move_mm);
  const double de = go('E', e_, relative_e_, most_e_mm) * factor_;
  const double length = std::hypot(dx, dy, dz);
  const double path = length > 0 ? length : std::fabs(de);
  settle(now_ns);
  seen_ = true;
  const double takes = path / std::clamp(feed_, 0.1, fastest_mm_per_s);
  waiting_s_ = std::min(waiting_s_ + takes, longest_queue_s);
  // A retraction gives back what the next move lays again.
  waiting_mm_ = std::clamp(waiting_mm_ + de, 0.0, 1000.0);
}

/// Lets the time since the last look go by: that much of the waiting moves is done.
void ExtrusionTracker::settle(std::int64_t now_ns) noexcept {
  const double dt = at_ns_ == 0 ? 0 : static_cast<double>(now_ns - at_ns_) * 1e-9;
  at_ns_ = now_ns;
  if (!(dt > 0)) return;
  const double part = waiting_s_ > 0 ? std::min(1.0, dt / waiting_s_) : 1;
  const double laid = waiting_mm_ * part;
  waiting_mm_ -= laid;
  waiting_s_ = std::max(0.0, waiting_s_ - dt);
  const double now = std::clamp(laid * filament_mm2 / dt, 0.0, most_flow_mm3_per_s);
  flow_ += (now - flow_) * dt / (dt + mean_s);
}

float ExtrusionTracker::flow(std::int64_t now_ns) noexcept {
  if (!seen_) return unknown;
  settle(now_ns);
  return static_cast<float>(flow_);
}

}  // namespace firebreak::guard
