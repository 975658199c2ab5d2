#pragma once

#include <cstdint>
#include <string_view>

namespace firebreak::guard {

/// A cursor over one line. Private to the report parser.
class Scanner {
 public:
  explicit Scanner(std::string_view text) noexcept : rest_(text) {}

  [[nodiscard]] bool done() const noexcept { return rest_.empty(); }
  [[nodiscard]] char peek() const noexcept { return rest_.empty() ? '\0' : rest_.front(); }
  [[nodiscard]] std::string_view rest() const noexcept { return rest_; }
  void skip(std::size_t count) noexcept { rest_.remove_prefix(count); }

  /// Skips blanks; true if there was one, or the line ends here.
  bool skip_blanks() noexcept {
    bool any = rest_.empty();
    while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\t')) {
      rest_.remove_prefix(1);
      any = true;
    }
    return any || rest_.empty();
  }

  bool take(char wanted) noexcept {
    if (peek() != wanted || rest_.empty()) return false;
    rest_.remove_prefix(1);
    return true;
  }

  bool take(std::string_view wanted) noexcept {
    if (!rest_.starts_with(wanted)) return false;
    rest_.remove_prefix(wanted.size());
    return true;
  }

  /// An optional minus, one to four digits and up to four decimals; no exponent, no nan, no inf:
  /// no firmware prints them. False, and an undefined position, if there is none here.
  bool take_number(float& value, bool& has_decimals) noexcept {
    const bool negative = take('-');
    std::uint32_t whole = 0;
    int digits = 0;
    for (; is_digit(peek()); ++digits) whole = next_digit(whole, digits);
    if (digits == 0 || digits > 4) return false;
    float fraction = 0;
    has_decimals = take('.');
    if (has_decimals) {
      float place = 0.1F;
      int decimals = 0;
      for (; is_digit(peek()); ++decimals, place /= 10) {
        fraction += place * static_cast<float>(peek() - '0');
        rest_.remove_prefix(1);
      }
      if (decimals == 0 || decimals > 4) return false;
    }
    value = static_cast<float>(whole) + fraction;
    if (negative) value = -value;
    return true;
  }

  static bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

 private:
  std::uint32_t next_digit(std::uint32_t whole, int digits) noexcept {
    const auto digit = static_cast<std::uint32_t>(peek() - '0');
    rest_.remove_prefix(1);
    return digits < 6 ? whole * 10 + digit : whole;
  }

  std::string_view rest_;
};

}  // namespace firebreak::guard
