#include "agent/guard/proxy/meatpack.h"

namespace firebreak::guard {
namespace {

constexpr std::string_view table = "0123456789. \nGX";
constexpr unsigned literal = 15, space_index = 11;
constexpr std::uint8_t enable = 0xFB, disable = 0xFA, reset_all = 0xF9;
constexpr std::uint8_t enable_no_spaces = 0xF7, disable_no_spaces = 0xF6;

/// Blanks and E share a place, and which one it is depends on the mode: both go as they are.
unsigned nibble_of(char c) noexcept {
  const auto at = table.find(c);
  return at == std::string_view::npos || c == ' ' ? literal : static_cast<unsigned>(at);
}

}  // namespace

namespace meatpack {

std::size_t pack(std::string_view line, std::array<char, 128>& into) noexcept {
  std::size_t size = 0;
  for (std::size_t i = 0; i < line.size() && size + 3 <= into.size(); i += 2) {
    const unsigned first = nibble_of(line[i]);
    const bool pair = i + 1 < line.size() && line[i] != '\n';
    const unsigned second = pair ? nibble_of(line[i + 1]) : 0;
    into[size++] = static_cast<char>(second << 4 | first);
    if (first == literal) into[size++] = line[i];
    if (second == literal) into[size++] = line[i + 1];
  }
  return size;
}

}  // namespace meatpack

char Unpacker::character(unsigned nibble) const noexcept {
  return nibble == space_index && no_spaces_ ? 'E' : table[nibble];
}

void Unpacker::put(char c, Step& step) const noexcept {
  if (step.size < step.text.size()) step.text[step.size++] = c;
}

void Unpacker::obey(std::uint8_t command) noexcept {
  if (command == enable) packs_ = true;
  if (command == disable) packs_ = false;
  if (command == enable_no_spaces) no_spaces_ = true;
  if (command == disable_no_spaces) no_spaces_ = false;
  if (command == reset_all) {
    packs_ = false;
    literals_ = 0;
    second_ = 0;
  }
}

Unpacker::Step Unpacker::take(char byte) noexcept {
  Step step;
  if (byte == meatpack::command_byte) {
    if (++marks_ == 2) {
      marks_ = 0;
      command_next_ = true;
    }
    return step;
  }
  if (command_next_) {
    command_next_ = false;
    step.command = static_cast<std::uint8_t>(byte);
    obey(step.command);
    return step;
  }
  if (marks_ > 0) {
    marks_ = 0;
    unpack(meatpack::command_byte, step);
  }
  unpack(byte, step);
  return step;
}

void Unpacker::unpack(char byte, Step& step) noexcept {
  if (!packs_) return put(byte, step);
  if (literals_ > 0) {
    put(byte, step);
    if (second_ != 0) put(second_, step);
    second_ = 0;
    --literals_;
    return;
  }
  const auto value = static_cast<unsigned char>(byte);
  const unsigned first = value & 15U, second = value >> 4U;
  if (first == literal) {
    ++literals_;
    if (second == literal) {
      ++literals_;
    } else {
      second_ = character(second);
    }
    return;
  }
  put(character(first), step);
  if (first == table.find('\n')) return;  // What stands beside a line's end counts for nothing.
  if (second == literal) {
    ++literals_;
  } else {
    put(character(second), step);
  }
}

}  // namespace firebreak::guard
