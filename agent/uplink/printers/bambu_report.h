#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/uplink/printers/bambu_codes.h"
#include "agent/uplink/printers/printer_facts.h"
#include "common/base/clock.h"
#include "common/base/result.h"

namespace firebreak::uplink {

/// Bounds of one report. A full one of a printer with four filament units has about 30 kB and is 7
/// deep; a health list of 16 is more than anybody reads.
inline constexpr std::size_t bambu_report_bytes_max = std::size_t{128} * 1024;
inline constexpr int bambu_report_depth_max = 24;
inline constexpr std::size_t bambu_hms_max = 16;
inline constexpr std::size_t bambu_text_bytes_max = 128;

/// A printer repeats a value only when it changes, and a hot heater's value changes all the time.
/// So a value holds while reports come, but for no longer than this after a report bore it.
inline constexpr std::chrono::seconds bambu_value_holds{60};

/// One heater as the reports told it.
struct BambuHeater {
  double celsius = unknown_number;
  double target_celsius = unknown_number;
  std::optional<MonotonicTime> told_at;  ///< When a report last bore `celsius`.
  bool fine = false;  ///< Told with decimals once: whole degrees do not replace it any more.
};

/// Everything that the reports of one printer have told so far.
struct BambuState {
  BambuHeater hotend, hotend1, bed, chamber;
  bool two_nozzles = false;
  std::string gcode_state;  ///< IDLE, PREPARE, RUNNING, PAUSE, FINISH, FAILED …; empty: not told.
  std::string job;
  double fan = unknown_number;  ///< Part cooling, 0…1.
  std::vector<HmsCode> hms;
  std::uint32_t print_error = 0;
  bool orders_need_signature = false;     ///< Developer mode is off. Known to be wrong at times.
  std::string firmware, machine, serial;  ///< Of info.get_version; empty: not told.
  std::optional<MonotonicTime> heard_at;  ///< The last push_status: the printer lives.

  [[nodiscard]] bool printing() const;
  /// No job, and every heater's target is known to be 0.
  [[nodiscard]] bool at_rest() const;
  /// Every target is known to be 0.
  [[nodiscard]] bool heaters_off() const;
};

/// What one report was.
struct BambuReport {
  enum class Kind {
    status,   ///< push_status: the state has been merged.
    version,  ///< Answer to get_version.
    answer,   ///< The printer's word on an order.
    other,    ///< Good JSON that says nothing to us.
  };
  Kind kind = Kind::other;
  std::string command, sequence_id;  ///< Of an answer.
  bool accepted = false;             ///< The answer is "success".
  std::uint32_t error_code = 0;      ///< The answer's err_code; 0: none.
};

/// Reads one printer's reports and merges them into one state. Pure: no I/O, no clock; one thread.
///
/// Formats: OpenBambuAPI, mqtt.md (push_status, get_version, answers); `device.*.temp` of newer
/// models packs the target into the upper 16 bits; bit 29 of `fun` says that orders must be signed.
class BambuReports {
 public:
  /// Takes one payload that arrived at `arrived`. Errors: bad_input (too long, too deep, cut off,
  /// not UTF-8, no report); the state is then as before. A single field of another type or an
  /// impossible value is damage: it makes that heater's value unknown and keeps the rest.
  Result<BambuReport> take(std::string_view payload, MonotonicTime arrived);

  /// Another connection: what was known is void, the counters stay.
  void forget() { state_ = {}; }

  [[nodiscard]] const BambuState& state() const noexcept { return state_; }
  [[nodiscard]] std::uint64_t refused() const noexcept { return refused_; }
  [[nodiscard]] std::uint64_t damaged_fields() const noexcept { return damaged_fields_; }

 private:
  Result<BambuReport> merge(const nlohmann::json& report, MonotonicTime arrived);
  void merge_status(const nlohmann::json& print, MonotonicTime arrived);
  void merge_heater(BambuHeater& heater, const nlohmann::json& print, const char* celsius,
                    const char* target, MonotonicTime arrived);
  void merge_packed(BambuHeater& heater, const nlohmann::json& part, MonotonicTime arrived);
  void merge_device(const nlohmann::json& device, MonotonicTime arrived);
  void merge_troubles(const nlohmann::json& print);
  void merge_text(std::string& text, const nlohmann::json& object, const char* key);
  void merge_version(const nlohmann::json& info);
  double celsius_of(const nlohmann::json& value);

  BambuState state_;
  std::uint64_t refused_ = 0;
  std::uint64_t damaged_fields_ = 0;
};

/// The heaters at `now`. A value that was not borne by a report for bambu_value_holds is unknown;
/// its target stays, since a change of it would have been told.
std::vector<HeaterFacts> heaters_at(const BambuState& state, MonotonicTime now);

/// The troubles in words with their codes, the ones that matter for heat first, at most three.
std::string troubles_in_words(const BambuState& state);
/// The words of the first thermal fault in `now` that was not in `before`; empty: none.
std::string new_thermal_fault(const BambuState& before, const BambuState& now);

}  // namespace firebreak::uplink
