#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/guard/config/guard_config.h"
#include "agent/guard/core/shared.h"

namespace firebreak::guard::klipper {

/// Klippy's API ends each message with this byte (Klipper docs/API_Server.md).
inline constexpr char message_end = '\x03';
/// The longest answer is that to `configfile`, with every macro of the printer.
inline constexpr std::size_t message_bytes_max = std::size_t{2} << 20;

/// Numbers of our questions; answers bear them. 9001 and 9002 are the stop thread's.
namespace question {
inline constexpr int info = 1;
inline constexpr int objects = 2;
inline constexpr int settings = 3;
inline constexpr int subscribe = 4;
inline constexpr int order = 5;
inline constexpr int restart = 6;
}  // namespace question

/// `webhooks.state` and the `state` of `info`.
enum class HostState { unknown, startup, ready, shutdown, error };
HostState host_state(std::string_view word) noexcept;

/// Which of klippy's objects is which heater of the profile; empty where it has none.
struct HeaterNames {
  std::array<std::string, max_heaters> object;
  /// Heaters of klippy that the profile does not know: nobody watches them here.
  std::vector<std::string> unwatched;
};
/// From the answer to `objects/list`. Hotends are `extruder`, `extruder1` …, the bed is
/// `heater_bed`, a chamber is the first `heater_generic` with "chamber" in its name.
HeaterNames name_heaters(const PrinterProfile& profile, const std::vector<std::string>& objects);

/// What a status says of one heater; NaN: it says nothing.
struct HeaterStatus {
  float celsius = unknown;
  float target_celsius = unknown;
  float power = unknown;
};

/// A message, understood.
struct Message {
  int answers = 0;  ///< Number of the question; 0: it was pushed, or bears no number of ours.
  bool refused = false;
  bool has_status = false;
  std::array<HeaterStatus, max_heaters> heaters{};
  std::optional<HostState> state;
  std::string state_message;  ///< First line.
  std::optional<bool> printing;
  float fan = unknown;
  float extruder_mm_per_s = unknown;
  std::string software, hostname;    ///< Of `info`.
  std::vector<std::string> objects;  ///< Of `objects/list`.
};

/// Understands one message (without its end). Nothing if it is no JSON object or nests too deep;
/// what is of another type than klippy's is left out. Allocates; bounded by message_bytes_max.
std::optional<Message> read_message(std::string_view text, const HeaterNames& names);

/// What klippy is configured to allow, in the profile's order of heaters.
struct FirmwareSettings {
  std::array<FirmwareLimit, max_heaters> limits{};
  float filament_mm2 = unknown;
  std::string board;  ///< `canbus_uuid` or `serial` of the main MCU.
};
/// From the answer to the question `settings`.
std::optional<FirmwareSettings> read_settings(std::string_view text, const HeaterNames& names);

std::string ask_info();
std::string ask_objects();
std::string ask_settings();
/// Subscribes to the heaters and, so that silence is never taken for health, to the clock of the
/// MCU, which moves in every push.
std::string ask_subscribe(const HeaterNames& names, const std::vector<std::string>& objects);
std::string ask_order(std::string_view gcode);
std::string ask_firmware_restart();

}  // namespace firebreak::guard::klipper
