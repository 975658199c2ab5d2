#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "agent/guard/config/guard_config.h"
#include "agent/guard/core/shared.h"

namespace firebreak::cli::replay {

/// What a printer said of one heater at one moment. NaN = not said.
struct TraceRow {
  double t_s = 0;
  guard::HeaterKind heater = guard::HeaterKind::hotend;
  float celsius = guard::unknown;
  float target_celsius = guard::unknown;
  float duty = guard::unknown;  ///< 0…1
  float fan = guard::unknown;   ///< 0…1
  float flow_mm3_per_s = guard::unknown;
};

/// A recording, in the order of time.
using Trace = std::vector<TraceRow>;

inline constexpr std::array<std::string_view, 3> heater_names{"hotend", "bed", "chamber"};
inline constexpr std::string_view name_of(guard::HeaterKind kind) noexcept {
  return heater_names[static_cast<std::size_t>(kind)];
}

}  // namespace firebreak::cli::replay
