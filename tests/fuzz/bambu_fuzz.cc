// Reports of a Bambu printer, one a line, as one printer would send them: whatever comes, bounded
// memory, no impossible temperature, and no rest that was not told.
// links: fb_bambu
// seeds: tests/data/bambu

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "agent/uplink/printers/bambu_orders.h"
#include "agent/uplink/printers/bambu_report.h"

namespace {

using namespace firebreak;
using namespace firebreak::uplink;

void demand(bool good) {
  if (!good) std::abort();
}

void check_number(double value) { demand(std::isnan(value) || (value >= -50 && value <= 1000)); }

void check_state(const BambuState& state, MonotonicTime now) {
  const auto heaters = heaters_at(state, now);
  demand(heaters.size() <= 4);
  for (const auto& heater : heaters) {
    check_number(heater.celsius);
    check_number(heater.target_celsius);
  }
  demand(std::isnan(state.fan) || (state.fan >= 0 && state.fan <= 1));
  demand(state.hms.size() <= bambu_hms_max);
  demand(state.gcode_state.size() <= bambu_text_bytes_max);
  demand(state.job.size() <= bambu_text_bytes_max);
  demand(!state.at_rest() || (state.hotend.target_celsius == 0 && state.bed.target_celsius == 0));
  demand(troubles_in_words(state).size() < 1000);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  BambuReports reports;
  MonotonicTime now{std::chrono::seconds{1000}};
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    const BambuState before = reports.state();
    const auto taken = reports.take(bytes.substr(0, end), now);
    demand(taken || reports.state().heard_at == before.heard_at);
    check_state(reports.state(), now);
    (void)new_thermal_fault(before, reports.state());
    (void)messages_of(BambuOrder::stop, reports.state(), 1);
    now += std::chrono::seconds{7};
    if (end == std::string_view::npos) break;
    bytes.remove_prefix(end + 1);
  }
  return 0;
}
