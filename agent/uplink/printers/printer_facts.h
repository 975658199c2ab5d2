#pragma once

#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"

namespace firebreak::uplink {

/// Where the connection to a network printer stands, in the guard's words (docs/protocol.md).
enum class Reach {
  absent,         ///< No answer: off, unplugged, or the network is.
  opening,        ///< It answers, and is not ready yet.
  ready,          ///< The expected printer answers; its readings count.
  halted,         ///< Its firmware says that it has stopped for good.
  wrong_printer,  ///< Another printer, or another certificate, than the configured one.
  blocked,        ///< It refuses us: key, access code, LAN mode.
  misconfigured,  ///< It runs and refuses its own configuration (Klipper).
};
std::string_view word(Reach reach) noexcept;

inline constexpr double unknown_number = std::numeric_limits<double>::quiet_NaN();

/// One heater as the printer's interface told it. NaN: it does not say.
struct HeaterFacts {
  std::string name;  ///< As in the guard's profile: hotend, hotend1 …, bed, chamber.
  double celsius = unknown_number;
  double target_celsius = unknown_number;
  double duty = unknown_number;  ///< 0…1.
};

/// What is known of a printer now. `measured_at` is when the *printer* measured, as well as it can
/// be known: the moment before the question was sent, or the time that a push bears.
struct PrinterFacts {
  Reach reach = Reach::absent;
  std::string why;  ///< One sentence for people; never a secret.
  std::string firmware, machine, uuid;
  bool printing = false;
  /// The firmware is known to protect itself against thermal runaway and was not told otherwise.
  bool protection_verified = false;
  std::vector<HeaterFacts> heaters;
  std::optional<MonotonicTime> measured_at;  ///< Of `heaters`; none: no reading at all.
  double fan = unknown_number;               ///< 0…1.
};

/// What happened once: sent to the guard once, in order.
enum class PrinterEvent { halted, thermal_fault, booted, wrong_identity };

}  // namespace firebreak::uplink
