#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace firebreak::guard {

/// Why a printer is (or was) stopped. The number is the bit in a CauseSet, is stored in the latch
/// slots, and is never reused.
enum class Cause : std::uint8_t {
  // Kind B: bytes and relays of the zone, in one pass.
  button = 0,
  smoke = 1,
  // Kind H: the same, for this printer and those that share its relay.
  over_limit = 2,
  stuck_on = 3,
  sensor_out = 4,
  heater_open = 5,
  frozen = 6,
  jump = 7,
  short_circuit = 8,
  blind = 9,
  relay_fault = 10,
  input_fault = 11,
  firmware_thermal = 12,  ///< The firmware itself reported a thermal fault.
  revived = 13,           ///< Heat, a boot banner or a target showed while latched or on probation.
  wrong_printer = 14,     ///< Another machine answered on this printer's port.
  // Kind S: bytes first, relay if the firmware does not obey.
  person = 16,
  coordinator = 17,
  firmware_halt = 18,  ///< The firmware halted by itself for a reason that is not thermal.
  unattended = 19,     ///< A supervised heat-up lost its person, or its guard.
  // Kind G and the guard's own life.
  host_restart = 24,
  bad_slot = 25,
  guard_lapsed = 26,
  service_stop = 27,
  shared_power = 28,  ///< Another printer behind the same relay was tripped.
};

/// Causes as bits: bit n is Cause n.
using CauseSet = std::uint32_t;

constexpr CauseSet bit(Cause cause) noexcept {
  return CauseSet{1} << static_cast<std::uint8_t>(cause);
}
constexpr bool has(CauseSet set, Cause cause) noexcept { return (set & bit(cause)) != 0; }

/// The kinds of trip of the safety concept, worst first.
enum class TripKind : std::uint8_t { button, hardware, software, guard };

/// Who may clear a cause.
enum class ResetRight : std::uint8_t {
  machine,       ///< Only a person at the machine.
  grant,         ///< Also a signed grant of the coordinator.
  follows_latch  ///< Clears with the latch that caused it.
};

struct CauseInfo {
  Cause cause;
  std::string_view name;  ///< The word in every protocol, log and screen.
  TripKind kind;
  ResetRight reset;
  bool doubts_sensor;  ///< The verdict is never proven by the sensor that it doubts.
  std::string_view sentence;
};

/// Every cause once, in the order of its number. Source of kinds and rights: docs/safety.md.
inline constexpr std::array cause_table{
    CauseInfo{Cause::button, "button", TripKind::button, ResetRight::machine, false,
              "the stop button was pressed"},
    CauseInfo{Cause::smoke, "smoke", TripKind::button, ResetRight::machine, false,
              "the smoke contact opened"},
    CauseInfo{Cause::over_limit, "over_limit", TripKind::hardware, ResetRight::machine, false,
              "a heater passed its absolute limit"},
    CauseInfo{Cause::stuck_on, "stuck_on", TripKind::hardware, ResetRight::machine, false,
              "a heater heats though it is told not to"},
    CauseInfo{Cause::sensor_out, "sensor_out", TripKind::hardware, ResetRight::machine, true,
              "a sensor no longer follows its heater"},
    CauseInfo{Cause::heater_open, "heater_open", TripKind::hardware, ResetRight::machine, true,
              "a heater does not heat though it is told to"},
    CauseInfo{Cause::frozen, "frozen", TripKind::hardware, ResetRight::machine, true,
              "a reading stands still"},
    CauseInfo{Cause::jump, "jump", TripKind::hardware, ResetRight::machine, true,
              "a reading jumped further than physics allows"},
    CauseInfo{Cause::short_circuit, "short", TripKind::hardware, ResetRight::machine, true,
              "a sensor reads as shorted or open"},
    CauseInfo{Cause::blind, "blind", TripKind::hardware, ResetRight::grant, true,
              "no trustworthy reading for longer than is safe"},
    CauseInfo{Cause::relay_fault, "relay_fault", TripKind::hardware, ResetRight::machine, false,
              "a relay does not do what it is told"},
    CauseInfo{Cause::input_fault, "input_fault", TripKind::hardware, ResetRight::machine, false,
              "a stop input is broken or gone"},
    CauseInfo{Cause::firmware_thermal, "firmware_thermal", TripKind::hardware, ResetRight::machine,
              true, "the firmware reported a thermal fault"},
    CauseInfo{Cause::revived, "revived", TripKind::hardware, ResetRight::machine, false,
              "a stopped printer showed heat, a target or a restart"},
    CauseInfo{Cause::wrong_printer, "wrong_printer", TripKind::hardware, ResetRight::machine, true,
              "another printer answers on this port"},
    CauseInfo{Cause::person, "person", TripKind::software, ResetRight::grant, false,
              "a person asked for a stop"},
    CauseInfo{Cause::coordinator, "coordinator", TripKind::software, ResetRight::grant, false,
              "the coordinator asked for a stop"},
    CauseInfo{Cause::firmware_halt, "firmware_halt", TripKind::software, ResetRight::grant, false,
              "the firmware halted by itself"},
    CauseInfo{Cause::unattended, "unattended", TripKind::software, ResetRight::grant, false,
              "a supervised heat-up was left alone, or did not go as planned"},
    CauseInfo{Cause::host_restart, "host_restart", TripKind::guard, ResetRight::grant, false,
              "the host has started; nothing is known of the time before"},
    CauseInfo{Cause::bad_slot, "bad_slot", TripKind::guard, ResetRight::machine, false,
              "the stored latch is missing or unreadable"},
    CauseInfo{Cause::guard_lapsed, "guard_lapsed", TripKind::guard, ResetRight::machine, false,
              "the guard was away for longer than a relay holds"},
    CauseInfo{Cause::service_stop, "service_stop", TripKind::guard, ResetRight::grant, false,
              "the guard was stopped while the printer was hot"},
    CauseInfo{Cause::shared_power, "shared_power", TripKind::hardware, ResetRight::follows_latch,
              false, "another printer behind the same relay was stopped"},
};

/// The row of `cause`; never null for a valid cause.
constexpr const CauseInfo& info(Cause cause) noexcept {
  for (const auto& row : cause_table) {
    if (row.cause == cause) return row;
  }
  return cause_table[0];
}

/// All causes of one kind, as bits.
constexpr CauseSet causes_of(TripKind kind) noexcept {
  CauseSet set = 0;
  for (const auto& row : cause_table) {
    if (row.kind == kind) set |= bit(row.cause);
  }
  return set;
}

/// Causes that open the relay in the same pass as the bytes.
inline constexpr CauseSet immediate_causes =
    causes_of(TripKind::button) | causes_of(TripKind::hardware);
inline constexpr CauseSet software_causes = causes_of(TripKind::software);

}  // namespace firebreak::guard
