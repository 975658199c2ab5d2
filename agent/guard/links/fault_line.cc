#include "agent/guard/links/fault_line.h"

#include <array>

#include "agent/guard/links/report_scanner.h"

namespace firebreak::guard {
namespace {

bool contains(std::string_view text, std::string_view part) noexcept {
  return text.find(part) != std::string_view::npos;
}

/// Texts that mean that the firmware's own thermal protection has acted.
constexpr std::array thermal_texts{
    // Marlin, with `Error:` in front and a tail that names the heater.
    std::string_view{"Thermal Runaway"},
    std::string_view{"Heating failed"},
    std::string_view{"MAXTEMP triggered"},
    std::string_view{"MINTEMP triggered"},
    std::string_view{"Thermal Malfunction"},
    // Prusa MK3: also HOTEND, HEATBED and (PREHEAT …) in front or behind.
    std::string_view{"THERMAL RUNAWAY"},
    std::string_view{"TM: error triggered"},
    std::string_view{"MINTEMP fault"},
    std::string_view{"MAXTEMP fault"},
    // RepRapFirmware.
    std::string_view{"temperature rising too slowly"},
    std::string_view{"exceeded allowed temperature excursion"},
    std::string_view{"failed to read sensor"},
    // Klipper.
    std::string_view{"not heating at expected rate"},
    std::string_view{"ADC out of range"},
};

/// What Marlin's and RepRapFirmware's thermal texts need in front; `echo:` text may hold anything.
bool has_fault_prefix(std::string_view text) noexcept {
  return text.starts_with("Error:") || text.starts_with("!!") || text.starts_with("Error ");
}

/// Thermal lines that have no `Error:`: Marlin's display text, MK3's own.
bool is_bare_thermal(std::string_view text) noexcept {
  return text == "echo:Heating Failed" || text == "echo:THERMAL RUNAWAY" ||
         text == "echo:Err: MAXTEMP" || text == "echo:Err: MINTEMP" ||
         text == "echo:Err: MAXTEMP BED" || text == "echo:Err: MINTEMP BED" ||
         text.starts_with("THERMAL RUNAWAY") || text.starts_with("HEATBED THERMAL RUNAWAY") ||
         text.starts_with("HOTEND THERMAL RUNAWAY") || text.starts_with("TM: error triggered") ||
         contains(text, "Heaters switched off. MAXTEMP triggered") ||
         contains(text, "Heaters switched off. MINTEMP triggered") ||
         text.starts_with("MCU 'mcu' shutdown: ADC out of range") ||
         (text.starts_with("Sensor '") && contains(text, " not in range "));
}

/// Prusa Buddy's error codes: two digits of the printer, then 201 to 212 for heat.
bool is_buddy_thermal(std::string_view text) noexcept {
  for (std::size_t i = 0; i + 5 <= text.size(); ++i) {
    bool digits = (i == 0 || !Scanner::is_digit(text[i - 1])) &&
                  (i + 5 == text.size() || !Scanner::is_digit(text[i + 5]));
    for (std::size_t k = 0; digits && k < 5; ++k) digits = Scanner::is_digit(text[i + k]);
    if (!digits || text[i + 2] != '2') continue;
    const int last = (text[i + 3] - '0') * 10 + (text[i + 4] - '0');
    if (last >= 1 && last <= 12) return true;
  }
  return false;
}

bool is_halt(std::string_view text) noexcept {
  if (contains(text, "kill() called")) return !text.starts_with("echo:Unknown command");
  return text == "echo:M112 Shutdown" || text.starts_with("Error:Printer halted") ||
         text.starts_with("Error:Printer stopped due to errors") ||
         text.starts_with("Error:KILLED") || text == "// Klipper state: Shutdown" ||
         text == "// Klipper state: Disconnect" ||
         (has_fault_prefix(text) &&
          (contains(text, "Shutdown due to") || contains(text, "' shutdown:") ||
           contains(text, "Emergency stop") || contains(text, "Lost communication with MCU")));
}

void set_heater(ParsedLine& out, ReportedHeater heater, std::uint8_t index) noexcept {
  out.fault_heater_known = true;
  out.fault_heater = heater;
  out.fault_index = index;
}

/// `Heater_ID: 0 | E0 | bed | chamber | redundant E0`, MK3's words, Klipper's names.
void find_heater(std::string_view text, ParsedLine& out) noexcept {
  const auto id = text.find("Heater_ID:");
  if (id != std::string_view::npos) {
    auto name = text.substr(id + 10);
    while (name.starts_with(' ')) name.remove_prefix(1);
    if (name.starts_with("redundant ")) name.remove_prefix(10);
    if (name.starts_with("bed")) return set_heater(out, ReportedHeater::bed, 0);
    if (name.starts_with("chamber")) return set_heater(out, ReportedHeater::chamber, 0);
    if (name.starts_with('E')) name.remove_prefix(1);
    if (!name.empty() && Scanner::is_digit(name[0])) {
      set_heater(out, ReportedHeater::hotend, static_cast<std::uint8_t>(name[0] - '0'));
    }
    return;
  }
  if (contains(text, "HEATBED") || contains(text, "heater_bed") || contains(text, "MAXTEMP BED") ||
      contains(text, "MINTEMP BED")) {
    return set_heater(out, ReportedHeater::bed, 0);
  }
  if (contains(text, "HOTEND") || text.starts_with("TM:")) {
    return set_heater(out, ReportedHeater::hotend, 0);
  }
  for (const auto word : {std::string_view{"Heater extruder"}, std::string_view{"'extruder"}}) {
    const auto at = text.find(word);
    if (at == std::string_view::npos) continue;
    const auto behind = text.substr(at + word.size());
    const bool digit = !behind.empty() && Scanner::is_digit(behind[0]);
    return set_heater(out, ReportedHeater::hotend,
                      digit ? static_cast<std::uint8_t>(behind[0] - '0') : 0);
  }
  if (text.starts_with("0: ") || text.starts_with("1: ")) {
    set_heater(out, ReportedHeater::hotend, static_cast<std::uint8_t>(text[0] - '0'));
  }
}

bool is_thermal(std::string_view text) noexcept {
  if (is_bare_thermal(text)) return true;
  if (!has_fault_prefix(text)) return false;
  if (is_buddy_thermal(text)) return true;
  for (const auto part : thermal_texts) {
    if (contains(text, part)) return true;
  }
  return (contains(text, "monitor") && contains(text, "was triggered")) ||
         (contains(text, "temperature") && contains(text, "not in range"));
}

}  // namespace

bool parse_fault(std::string_view text, ParsedLine& out) noexcept {
  if (is_thermal(text)) {
    out.kind = LineKind::thermal_fault;
    find_heater(text, out);
    return true;
  }
  if (text.starts_with("TM: error |") || text.starts_with("TM: warning")) {
    out.kind = LineKind::thermal_warning;
    return true;
  }
  if (is_halt(text)) {
    out.kind = LineKind::halt;
    return true;
  }
  return false;
}

}  // namespace firebreak::guard
