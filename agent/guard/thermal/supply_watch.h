#pragma once

#include <array>
#include <span>

#include "agent/guard/core/shared.h"
#include "agent/guard/thermal/detector.h"

namespace firebreak::guard::thermal {

struct SupplyState {
  std::array<float, max_heaters> missing{};  ///< Part of the asked power that does not arrive.
  std::array<float, max_heaters> asked{};    ///< Mean of the asked power.
  std::array<std::uint8_t, max_heaters> learned{};  ///< Only learned models can tell.
  std::int64_t fell_since_ns = 0;                   ///< 0 = it is there.
};

/// D9: two or more heaters that ask for power miss it at the same time: the supply has sagged or
/// is off, not two heaters. Holds back the model's "power missing" of each for two minutes; a
/// supply that stays away ends in the ordinary rules. Does not judge rising readings.
class SupplyWatch {
 public:
  explicit SupplyWatch(SupplyState& state) noexcept : state_(state) {}

  /// Takes in this step's views; true while the supply is thought to be short.
  bool step(std::span<const HeaterView> views, std::int64_t now_ns) noexcept;

 private:
  SupplyState& state_;
};

}  // namespace firebreak::guard::thermal
