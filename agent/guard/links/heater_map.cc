#include "agent/guard/links/heater_map.h"

#include <algorithm>
#include <cmath>

namespace firebreak::guard {

std::uint32_t store(const HeaterSamples& samples, std::size_t heaters, std::int64_t at_ns,
                    PrinterReadings& readings) noexcept {
  bool all_zero = heaters > 0;
  for (std::size_t i = 0; i < heaters; ++i) {
    auto& heater = readings.heaters[i];
    if (!std::isnan(samples.celsius[i])) {
      heater.celsius = samples.celsius[i];
      heater.celsius_at_ns = at_ns;
      ++heater.reports;
      readings.temperature_at_ns = at_ns;
    }
    if (!std::isnan(samples.target[i])) {
      heater.target_celsius = samples.target[i];
      heater.target_at_ns = at_ns;
    }
    if (!std::isnan(samples.duty[i])) heater.duty = samples.duty[i];
    if (!(samples.target[i] == 0)) all_zero = false;
  }
  return all_zero ? link_event::target_zero : 0;
}

HeaterMap::HeaterMap(const PrinterProfile& profile) noexcept {
  int hotends = 0;
  for (const auto& heater : profile.heaters) {
    if (size_ == max_heaters) break;
    Slot& slot = slots_[size_++];
    if (heater.kind == HeaterKind::hotend) slot = {ReportedHeater::hotend, hotends++};
    if (heater.kind == HeaterKind::bed) slot = {ReportedHeater::bed, 0};
    if (heater.kind == HeaterKind::chamber) slot = {ReportedHeater::chamber, 0};
  }
  tools_ = std::max(hotends, 1);
}

int HeaterMap::index_of(ReportedHeater heater, int tool) const noexcept {
  for (std::size_t i = 0; i < size_; ++i) {
    const auto& slot = slots_[i];
    if (slot.heater == heater && (heater != ReportedHeater::hotend || slot.tool == tool)) {
      return static_cast<int>(i);
    }
  }
  return -1;
}

HeaterSamples HeaterMap::resolve(const ParsedLine& line, int active_tool) noexcept {
  HeaterSamples out;
  bool tools_named = false;
  for (const auto& value : line.values()) {
    if (value.heater == ReportedHeater::hotend) tools_named = true;
    if (value.duty_unit == DutyUnit::steps && value.duty > 127) full_duty_ = 255;
  }
  for (const auto& value : line.values()) {
    int index = -1;
    if (value.heater == ReportedHeater::active_tool) {
      // Where tools are named too, `T:` only repeats one of them.
      if (tools_ > 1 && (tools_named || active_tool < 0)) continue;
      index = index_of(ReportedHeater::hotend, tools_ == 1 ? 0 : active_tool);
    } else {
      index = index_of(value.heater, value.index);
    }
    if (index < 0) continue;
    const auto i = static_cast<std::size_t>(index);
    out.celsius[i] = value.celsius;
    if (!std::isnan(value.target_celsius)) out.target[i] = value.target_celsius;
    if (value.duty_unit == DutyUnit::steps) out.duty[i] = std::min(1.0F, value.duty / full_duty_);
  }
  return out;
}

}  // namespace firebreak::guard
