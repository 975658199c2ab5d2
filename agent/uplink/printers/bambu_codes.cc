#include "agent/uplink/printers/bambu_codes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace firebreak::uplink {
namespace {

struct Part {
  std::uint32_t attr;
  std::string_view name;
};

/// Heaters share the numbers of their troubles; only the part differs.
constexpr std::array heaters{
    Part{0x03000100, "heatbed"},          Part{0x03000200, "nozzle"},
    Part{0x03001E00, "left nozzle"},      Part{0x03009100, "chamber heater 1"},
    Part{0x03009200, "chamber heater 2"},
};

struct Trouble {
  std::uint32_t code;
  std::string_view words;
  bool thermal_fault;
};

constexpr std::array heater_troubles{
    Trouble{0x00010001, "the heater may be shorted", true},
    Trouble{0x00010002, "the heater circuit may be open", true},
    Trouble{0x00010003, "over temperature", true},
    Trouble{0x00010006, "the sensor may be shorted", true},
    Trouble{0x00010007, "the sensor circuit may be open", true},
    Trouble{0x00010008, "it does not heat as it should", true},
    Trouble{0x00010009, "its temperature cannot be controlled, the hotend may be missing", true},
    Trouble{0x0001000A, "its mains board may be broken", true},
    Trouble{0x0001000C, "at full power for a long time", true},
    Trouble{0x0001000D, "it had a heating fault before", false},
    Trouble{0x0001000E, "switched off: the supply voltage does not fit", false},
};

struct Whole {
  HmsCode code;
  std::string_view words;
  bool thermal_fault;
};

constexpr HmsCode hms_refused_control{0x05000500, 0x00010007};

constexpr std::array others{
    Whole{{0x03000300, 0x00010001}, "the hotend's cooling fan is slow or stands still", false},
    Whole{{0x03001700, 0x00010001}, "the hotend's cooling fan is slow or stands still", false},
    Whole{{0x03009000, 0x00010003}, "chamber heating failed: its supply is too hot", true},
    Whole{{0x03009000, 0x00010004}, "chamber heating failed: its fan is too slow", true},
    Whole{{0x0300A100, 0x00010001}, "the chamber is too hot", false},
    Whole{hms_refused_control, "an order was refused because it was not signed", false},
};

struct PrintError {
  std::uint32_t code;
  std::string_view words;
  bool thermal_fault;
};

constexpr std::uint32_t print_error_refused_control = 0x05024007;

constexpr std::array print_errors{
    PrintError{0x03004005, "the hotend's cooling fan has a wrong speed", false},
    PrintError{0x0300400C, "the print was cancelled", false},
    PrintError{0x0300404D, "too hot to start; it must cool down first", false},
    PrintError{0x03008008, "nozzle temperature malfunction", true},
    PrintError{0x03008009, "heatbed temperature malfunction", true},
    PrintError{0x03008010, "the hotend's cooling fan has a wrong speed", false},
    PrintError{0x03008018, "chamber temperature malfunction", true},
    PrintError{0x03008044, "fire in the chamber", true},
    PrintError{0x03008062, "the chamber is too hot", false},
    PrintError{0x03008063, "the chamber is too hot", false},
    PrintError{0x03008064, "the chamber is too hot", false},
    PrintError{0x0500400E, "the print was cancelled", false},
    PrintError{print_error_refused_control, "an order was refused because it was not signed",
               false},
};

template <class Table, class Matches>
auto find(const Table& table, Matches matches) {
  return std::find_if(table.begin(), table.end(), matches);
}

}  // namespace

std::string written(HmsCode code) {
  return fmt::format("HMS_{:04X}_{:04X}_{:04X}_{:04X}", code.attr >> 16, code.attr & 0xFFFF,
                     code.code >> 16, code.code & 0xFFFF);
}

std::string written_print_error(std::uint32_t code) {
  return fmt::format("{:04X}-{:04X}", code >> 16, code & 0xFFFF);
}

std::optional<CodeMeaning> meaning_of(HmsCode code) {
  const auto part = find(heaters, [&](const Part& p) { return p.attr == code.attr; });
  const auto trouble = find(heater_troubles, [&](const Trouble& t) { return t.code == code.code; });
  if (part != heaters.end() && trouble != heater_troubles.end()) {
    return CodeMeaning{fmt::format("{}: {}", part->name, trouble->words), trouble->thermal_fault};
  }
  // The chamber's sensors: each number up to 8 is a short or a break of one of them.
  if (code.attr == 0x03009300 && code.code >= 0x00010001 && code.code <= 0x00010008) {
    return CodeMeaning{"chamber heater: a temperature sensor is shorted or open", true};
  }
  const auto other = find(others, [&](const Whole& w) { return w.code == code; });
  if (other == others.end()) return {};
  return CodeMeaning{std::string(other->words), other->thermal_fault};
}

std::optional<CodeMeaning> meaning_of_print_error(std::uint32_t code) {
  const auto found = find(print_errors, [&](const PrintError& e) { return e.code == code; });
  if (found == print_errors.end()) return {};
  return CodeMeaning{std::string(found->words), found->thermal_fault};
}

bool is_refused_control(std::uint32_t code) noexcept { return code == print_error_refused_control; }
bool is_refused_control(HmsCode code) noexcept { return code == hms_refused_control; }

}  // namespace firebreak::uplink
