#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace firebreak::guard {

/// MeatPack, the packed G-code of OctoPrint's plugin of that name: two characters of the fifteen
/// most frequent in a byte, others as they are behind a marker. Two bytes 0xFF begin a command.
/// Source of the facts: Marlin, src/feature/meatpack.h and meatpack.cpp.
namespace meatpack {

inline constexpr char command_byte = '\xFF';
/// Turns packing off wherever in the stream it stands; for a firmware without MeatPack a line of
/// junk, which the newline of the stop behind it ends.
inline constexpr std::string_view off = "\xFF\xFF\xFA";

/// A line of ours for a firmware that unpacks, alike with and without packed spaces. `into` gets at
/// most 1.5 times the bytes of `line`; returns how many.
std::size_t pack(std::string_view line, std::array<char, 128>& into) noexcept;

}  // namespace meatpack

/// Follows a host's bytes through MeatPack: the characters that they stand for. Any bytes; no
/// allocation. Until a host turns packing on, each byte is its own character.
class Unpacker {
 public:
  struct Step {
    std::array<char, 2> text{};
    std::uint8_t size = 0;
    std::uint8_t command = 0;  ///< The byte behind two 0xFF, now obeyed; else 0.
  };
  Step take(char byte) noexcept;

  [[nodiscard]] bool packs() const noexcept { return packs_; }
  /// False in the middle of a command or of a pair: no byte may be put in between.
  [[nodiscard]] bool at_boundary() const noexcept {
    return marks_ == 0 && !command_next_ && literals_ == 0;
  }
  void reset() noexcept { *this = Unpacker{}; }

 private:
  void obey(std::uint8_t command) noexcept;
  void unpack(char byte, Step& step) noexcept;
  void put(char c, Step& step) const noexcept;
  [[nodiscard]] char character(unsigned nibble) const noexcept;

  bool packs_ = false, no_spaces_ = false;
  bool command_next_ = false;
  std::uint8_t marks_ = 0;     ///< Bytes 0xFF that may begin a command.
  std::uint8_t literals_ = 0;  ///< Characters that follow as they are.
  char second_ = 0;            ///< Comes behind the next of them; 0: none.
};

}  // namespace firebreak::guard
