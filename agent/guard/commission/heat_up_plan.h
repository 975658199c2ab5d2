#pragma once

#include <array>
#include <chrono>
#include <string>
#include <vector>

#include "agent/guard/config/guard_config.h"
#include "agent/guard/core/shared.h"

namespace firebreak::guard::commission {

/// One stage of a supervised heat-up: targets that are set at its begin, and how long it lasts.
struct Stage {
  std::string name;                          ///< For the person who watches: "hold the hotend".
  std::array<float, max_heaters> targets{};  ///< °C, in the profile's order of heaters.
  float fan = 0;                             ///< Part fan 0…1, where the profile lets us use it.
  bool until_reached = false;  ///< Ends as all targets are reached; `lasts` is the limit.
  std::chrono::seconds lasts{};
  [[nodiscard]] bool heats() const noexcept {
    for (const float target : targets) {
      if (target > 0) return true;
    }
    return false;
  }
};

/// Rest 20 s; each hotend to its usual target, 90 s, then 60 s with the part fan full (where the
/// profile says that this fan cools no heatbreak; else without); hotends off, bed and chamber to
/// theirs, 240 s; all off, 60 s. So each heater shows its rise, its loss and its lags.
[[nodiscard]] std::vector<Stage> heat_up_plan(const PrinterProfile& profile);

/// The lines of G-code that lead from one stage to the next: first what goes off.
[[nodiscard]] std::vector<std::string> orders_for(const PrinterProfile& profile,
                                                  const Stage& before, const Stage& after);

}  // namespace firebreak::guard::commission
