#include "agent/guard/stop/stop_bytes.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

namespace firebreak::guard {
namespace {

/// "\nM112\n": what follows it is for a firmware that did not act on it.
constexpr std::string_view marlin_head = "\nM112\n";
// Klippy answers with the number, by which the link knows whose answer it is (KlipperLink).
constexpr std::string_view klipper_stop = "{\"id\":9001,\"method\":\"emergency_stop\"}\x03";
constexpr std::string_view klipper_heaters_off =
    "{\"id\":9002,\"method\":\"gcode/script\",\"params\":{\"script\":\"TURN_OFF_HEATERS\"}}\x03";
constexpr std::string_view uplink_stop = "{\"do\":\"stop\"}\n";
constexpr std::string_view uplink_heaters_off = "{\"do\":\"heaters_off\"}\n";

std::vector<std::string> heaters_off(const PrinterProfile& profile) {
  std::vector<std::string> commands;
  if (profile.tools <= 1) {
    commands.emplace_back("M104 S0");
  } else {
    for (int tool = 0; tool < profile.tools; ++tool) {
      commands.push_back(fmt::format("M104 T{} S0", tool));
    }
  }
  commands.emplace_back("M140 S0");
  commands.emplace_back("M141 S0");
  if (profile.fan_is_not_heatbreak) commands.emplace_back("M107");
  return commands;
}

}  // namespace

bool ByteSequence::append(std::string_view bytes) noexcept {
  if (bytes.size() > capacity - size_) return false;
  std::copy(bytes.begin(), bytes.end(), bytes_.begin() + static_cast<std::ptrdiff_t>(size_));
  size_ += bytes.size();
  return true;
}

bool append_numbered(ByteSequence& bytes, int number, std::string_view command) noexcept {
  std::array<char, 64> line;
  const auto end = fmt::format_to_n(line.data(), line.size(), "N{} {}", number, command);
  if (end.size > line.size()) return false;
  const std::string_view text(line.data(), end.size);
  unsigned sum = 0;
  for (const char c : text) sum ^= static_cast<unsigned char>(c);
  std::array<char, 8> tail;
  const auto tail_end = fmt::format_to_n(tail.data(), tail.size(), "*{}\n", sum);
  return bytes.append(text) && bytes.append({tail.data(), tail_end.size});
}

StopBytes make_stop(const PrinterConfig& printer) {
  StopBytes bytes;
  switch (printer.link) {
    case LinkKind::serial:
      bytes.stop = make_stop_bytes(printer.profile);
      bytes.heaters_off = make_heaters_off_bytes(printer.profile);
      bytes.head = marlin_head.size();
      return bytes;
    case LinkKind::klipper:
      bytes.stop.append(klipper_stop);
      bytes.heaters_off.append(klipper_heaters_off);
      break;
    case LinkKind::network:
      bytes.stop.append(uplink_stop);
      bytes.heaters_off.append(uplink_heaters_off);
      break;
  }
  bytes.head = bytes.stop.view().size();
  return bytes;
}

ByteSequence make_stop_bytes(const PrinterProfile& profile) {
  ByteSequence bytes;
  bytes.append(marlin_head);
  for (const auto& command : heaters_off(profile)) bytes.append(command + "\n");
  append_numbered(bytes, 0, "M110 N0");
  int number = 1;
  append_numbered(bytes, number, "M112");
  for (const auto& command : heaters_off(profile)) append_numbered(bytes, ++number, command);
  return bytes;
}

std::string_view stop_prefix(StreamForm form) noexcept {
  switch (form) {
    case StreamForm::packed: return "\xFF\xFF\xFA";
    case StreamForm::upload: return "\nM29\n";
    case StreamForm::text:
    case StreamForm::binary: break;
  }
  return "";
}

ByteSequence make_heaters_off_bytes(const PrinterProfile& profile) {
  ByteSequence bytes;
  bytes.append("\n");
  for (const auto& command : heaters_off(profile)) bytes.append(command + "\n");
  return bytes;
}

}  // namespace firebreak::guard
