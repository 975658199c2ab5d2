#include "common/base/escape.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

namespace firebreak {
namespace {

constexpr std::string_view ellipsis = "\xE2\x80\xA6";

// One step of UTF-8 decoding: how many bytes, and what they mean. size 0 = not UTF-8.
struct CodePoint {
  std::size_t size = 0;
  std::uint32_t value = 0;
};

CodePoint decode(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t lead = byte(0);
  if (lead < 0x80) return {1, lead};
  std::size_t size = 0;
  std::uint32_t value = 0;
  std::uint32_t least = 0;
  if ((lead & 0xE0) == 0xC0) {
    size = 2, value = lead & 0x1FU, least = 0x80;
  } else if ((lead & 0xF0) == 0xE0) {
    size = 3, value = lead & 0x0FU, least = 0x800;
  } else if ((lead & 0xF8) == 0xF0) {
    size = 4, value = lead & 0x07U, least = 0x10000;
  } else {
    return {};
  }
  if (text.size() < size) return {};
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    value = value << 6 | (byte(i) & 0x3FU);
  }
  if (value < least || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return {};
  return {size, value};
}

// Marks that change how the text around them is shown, or that cannot be seen.
bool misleads(std::uint32_t c) noexcept {
  return (c >= 0x80 && c < 0xA0) || c == 0xAD || c == 0x61C || (c >= 0x200B && c <= 0x200F) ||
         (c >= 0x2028 && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF ||
         (c >= 0xFFF9 && c <= 0xFFFB) || (c >= 0xE0000 && c <= 0xE007F);
}

// One shown character, at most 10 bytes: "\u{10ffff}".
struct Shown {
  std::array<char, 12> bytes{};
  std::size_t size = 0;
  void add(char c) noexcept { bytes[size++] = c; }
};

void add_hex(Shown& shown, std::uint32_t value, int digits_min) noexcept {
  int digits = digits_min;
  while (digits < 8 && (value >> (4 * digits)) != 0) ++digits;
  while (digits-- > 0) shown.add("0123456789abcdef"[(value >> (4 * digits)) & 15]);
}

Shown show(std::string_view rest, std::size_t& taken) noexcept {
  Shown shown;
  const CodePoint point = decode(rest);
  taken = std::max<std::size_t>(point.size, 1);
  const auto byte = static_cast<std::uint8_t>(rest[0]);
  shown.add('\\');
  if (point.size == 0 || byte < 0x20 || byte == 0x7F) {
    if (byte == '\n' || byte == '\r' || byte == '\t') {
      shown.add(byte == '\n' ? 'n' : byte == '\r' ? 'r' : 't');
    } else {
      shown.add('x');
      add_hex(shown, byte, 2);
    }
  } else if (byte == '\\') {
    shown.add('\\');
  } else if (misleads(point.value)) {
    shown.add('u');
    shown.add('{');
    add_hex(shown, point.value, 2);
    shown.add('}');
  } else {
    std::memcpy(shown.bytes.data(), rest.data(), point.size);
    shown.size = point.size;
  }
  return shown;
}

}  // namespace

std::size_t escape_untrusted_into(std::string_view text, std::span<char> out) noexcept {
  std::size_t used = 0;
  std::size_t fallback = 0;  // the last length after which the ellipsis still fits
  while (!text.empty()) {
    std::size_t taken = 0;
    const Shown shown = show(text, taken);
    if (used + shown.size > out.size()) {
      if (fallback + ellipsis.size() > out.size()) return fallback;
      std::memcpy(out.data() + fallback, ellipsis.data(), ellipsis.size());
      return fallback + ellipsis.size();
    }
    std::memcpy(out.data() + used, shown.bytes.data(), shown.size);
    used += shown.size;
    if (used + ellipsis.size() <= out.size()) fallback = used;
    text.remove_prefix(taken);
  }
  return used;
}

std::string escape_untrusted(std::string_view text, std::size_t max) {
  // An escape is at most 10 times its source, so that more than this is never looked at.
  std::string out(std::min(max, text.size() * 10), '\0');
  out.resize(escape_untrusted_into(text, out));
  return out;
}

bool is_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    const CodePoint point = decode(text);
    if (point.size == 0) return false;
    text.remove_prefix(point.size);
  }
  return true;
}

}  // namespace firebreak
