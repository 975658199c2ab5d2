#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace firebreak::uplink {

/// One entry of a Bambu printer's health list (HMS): `attr` names the part, `code` the trouble.
struct HmsCode {
  std::uint32_t attr = 0;
  std::uint32_t code = 0;
  bool operator==(const HmsCode&) const = default;
};

/// What a code says, in words, and whether a heater or its sensor cannot be trusted any more.
struct CodeMeaning {
  std::string words;
  bool thermal_fault = false;
};

/// The usual writing: "HMS_0300_0100_0001_0007" and, for print_error, "0300-8009".
std::string written(HmsCode code);
std::string written_print_error(std::uint32_t code);

/// The codes that matter for heat and for control; nothing for all others, whose writing people can
/// look up. Sources: the vendor's public list of HMS and print error codes.
std::optional<CodeMeaning> meaning_of(HmsCode code);
std::optional<CodeMeaning> meaning_of_print_error(std::uint32_t code);

/// "The printer took no order because it was not signed", in an answer (err_code) and in the two
/// lists: firmware with authorization control, developer mode off.
bool is_refused_control(std::uint32_t code) noexcept;
bool is_refused_control(HmsCode code) noexcept;

}  // namespace firebreak::uplink
