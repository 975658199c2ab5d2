// Lines of an uplink that somebody has taken over: whatever comes, nothing crashes, and no reading
// is impossible, younger than its line or of a printer that is not known.
// links: fb_links
// seeds: tests/data/links/uplink_lines.jsonl

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "agent/guard/links/uplink_session.h"

namespace {

using namespace firebreak;
using namespace firebreak::guard;

void demand(bool good) {
  if (!good) std::abort();
}

struct Nobody final : LinkEvents {
  void note(const LinkRecord& record) noexcept override { demand(record.view().size() < 1024); }
};

void check(const PrinterReadings& readings, LinkState state, MonotonicTime now) {
  const auto now_ns = now.time_since_epoch().count();
  for (const auto& heater : readings.heaters) {
    demand(heater.celsius_at_ns <= now_ns);
    if (heater.celsius_at_ns == 0) continue;
    demand(heater.celsius >= -50 && heater.celsius <= 1000);
    demand(std::isnan(heater.duty) || (heater.duty >= 0 && heater.duty <= 1));
  }
  demand(state <= LinkState::misconfigured);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  PrinterConfig config;
  HeaterProfile hotend;
  hotend.name = "hotend";
  config.profile.heaters = {hotend};
  PrinterShared shared;
  Nobody nobody;
  UplinkSession session(config, shared, nobody);
  MonotonicTime now{std::chrono::seconds{100}};
  session.opened(now);
  for (std::size_t at = 0; at < size; at += 97) {
    now += std::chrono::milliseconds{100};
    const bool kept = session.received(bytes.substr(at, 97), now);
    PrinterReadings readings;
    demand(shared.readings.load(readings));
    check(readings, shared.link_state.load(), now);
    (void)session.next_output(now);
    if (!kept) break;
  }
  return 0;
}
