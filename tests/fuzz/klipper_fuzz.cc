// Bytes of klippy's socket, from the message to the reading: whatever comes, nothing crashes, no
// impossible reading is stored, and a message that is cut anywhere means the same.
// links: fb_links
// seeds: tests/data/corpus/klipper

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "agent/guard/links/klipper_session.h"

namespace {

using namespace firebreak;
using namespace firebreak::guard;

void demand(bool good) {
  if (!good) std::abort();
}

struct Nobody final : LinkEvents {
  void note(const LinkRecord& record) noexcept override { demand(record.view().size() < 1024); }
};

PrinterConfig two_heaters() {
  PrinterConfig config;
  config.name = "p1";
  config.link = LinkKind::klipper;
  for (const auto& [name, kind] :
       {std::pair{"hotend", HeaterKind::hotend}, {"bed", HeaterKind::bed}}) {
    HeaterProfile heater;
    heater.name = name;
    heater.kind = kind;
    config.profile.heaters.push_back(heater);
  }
  return config;
}

struct Bench {
  PrinterConfig config = two_heaters();
  PrinterShared shared;
  Nobody nobody;
  klipper::Session session{config, shared, nobody};
  MonotonicTime now{std::chrono::seconds{100}};

  Bench() { session.opened(now); }
  void feed(std::string_view bytes) {
    now += std::chrono::milliseconds{250};
    session.received(bytes, now);
    session.tick(now);
    for (const auto& message : session.take_output()) {
      demand(message.size() < 65536 && message.back() == klipper::message_end);
    }
  }
  PrinterReadings readings() {
    PrinterReadings out;
    demand(shared.readings.load(out));
    return out;
  }
};

/// A recording's line is {"t":…,"dir":…,"msg":MESSAGE}: the message alone, as klippy sends it.
std::string_view message_of(std::string_view line) {
  constexpr std::string_view key = "\"msg\":";
  const auto at = line.find(key);
  if (at == std::string_view::npos || line.empty()) return line;
  line.remove_prefix(at + key.size());
  if (!line.empty()) line.remove_suffix(1);
  return line;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  Bench whole, pieces;
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    const std::string message =
        std::string(message_of(bytes.substr(0, end))) + klipper::message_end;
    bytes.remove_prefix(end == std::string_view::npos ? bytes.size() : end + 1);
    whole.feed(message);
    const auto middle = message.size() / 2;
    pieces.session.received(std::string_view(message).substr(0, middle), whole.now);
    pieces.feed(std::string_view(message).substr(middle));
    (void)klipper::read_settings(std::string_view(message).substr(0, message.size() - 1), {});
  }
  demand(whole.shared.link_state.load() == pieces.shared.link_state.load());
  const auto one = whole.readings(), other = pieces.readings();
  demand(one.lines == other.lines && one.bad_lines == other.bad_lines);
  for (const auto& heater : one.heaters) {
    demand(heater.celsius_at_ns == 0 || std::isfinite(heater.celsius));
  }
  return 0;
}
