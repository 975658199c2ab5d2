#pragma once

#include <array>

#include "agent/guard/config/guard_config.h"
#include "agent/guard/core/shared.h"
#include "agent/guard/links/report_parser.h"

namespace firebreak::guard {

/// One report in the order of the profile's heaters. NaN: the report does not say.
struct HeaterSamples {
  std::array<float, max_heaters> celsius;
  std::array<float, max_heaters> target;
  std::array<float, max_heaters> duty;  ///< 0…1.

  HeaterSamples() {
    celsius.fill(unknown);
    target.fill(unknown);
    duty.fill(unknown);
  }
};

/// Writes what `samples` say of the first `heaters` heaters into `readings` as of `at_ns`; what
/// they do not say stays as it was, and ages. Returns link_event::target_zero if every target was
/// said to be 0, else 0.
std::uint32_t store(const HeaterSamples& samples, std::size_t heaters, std::int64_t at_ns,
                    PrinterReadings& readings) noexcept;

/// Knows which value of a report belongs to which heater of the profile, and what full duty is.
class HeaterMap {
 public:
  explicit HeaterMap(const PrinterProfile& profile) noexcept;

  /// The values of `line`; `active_tool` owns a plain `T:` (below 0: unknown, the value is left out
  /// where there are several tools). Learns the duty's scale.
  HeaterSamples resolve(const ParsedLine& line, int active_tool) noexcept;

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool duty_is_0_to_255() const noexcept { return full_duty_ > 127; }

 private:
  [[nodiscard]] int index_of(ReportedHeater heater, int tool) const noexcept;

  struct Slot {
    ReportedHeater heater = ReportedHeater::hotend;
    int tool = 0;
  };
  std::array<Slot, max_heaters> slots_{};
  std::size_t size_ = 0;
  int tools_ = 1;
  float full_duty_ = 127;  ///< Marlin's; a value above it shows a firmware that counts to 255.
};

}  // namespace firebreak::guard
