#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace firebreak::guard {

/// How a line ended on the wire. Marlin ends its own lines in LF and text that a file lets it
/// print (`M118`) in CR LF, so the ending is evidence.
enum class LineEnding : std::uint8_t { lf, crlf, cr };

/// Cuts a byte stream into lines in a buffer of its own: no allocation, whatever comes.
/// LF, CR LF and a lone CR each end a line. A line longer than `max_line` is counted and dropped
/// whole, never cut: half a line could read as another temperature.
class LineSplitter {
 public:
  /// The longest line of the firmwares that we know (M115) has about 250 bytes.
  static constexpr std::size_t max_line = 512;

  /// Takes one byte. True if it completed a line: line() and ending() are valid until the next
  /// push(). After a lone CR the byte itself already belongs to the following line.
  bool push(char byte) noexcept {
    if (complete_) begin_next();
    if (byte == '\n') return end_line(cr_pending_ ? LineEnding::crlf : LineEnding::lf);
    if (cr_pending_) {
      carried_ = byte;
      has_carried_ = true;
      return end_line(LineEnding::cr);
    }
    take(byte);
    return false;
  }

  [[nodiscard]] std::string_view line() const noexcept { return {buffer_.data(), size_}; }
  [[nodiscard]] LineEnding ending() const noexcept { return ending_; }
  /// True while bytes of an unfinished line are held.
  [[nodiscard]] bool in_line() const noexcept {
    return complete_ ? has_carried_ : size_ > 0 || cr_pending_ || too_long_;
  }
  /// Lines that were dropped because they were too long.
  [[nodiscard]] std::uint32_t oversize() const noexcept { return oversize_; }

  /// Forgets the unfinished line, for a port that was opened anew.
  void clear() noexcept {
    size_ = 0;
    cr_pending_ = too_long_ = complete_ = has_carried_ = false;
  }

 private:
  void take(char byte) noexcept {
    if (byte == '\r') {
      cr_pending_ = true;
    } else if (size_ < max_line) {
      buffer_[size_++] = byte;
    } else {
      too_long_ = true;
    }
  }

  bool end_line(LineEnding ending) noexcept {
    cr_pending_ = false;
    complete_ = true;
    ending_ = ending;
    if (!too_long_) return true;
    ++oversize_;
    begin_next();
    return false;
  }

  void begin_next() noexcept {
    complete_ = too_long_ = false;
    size_ = 0;
    if (has_carried_) {
      has_carried_ = false;
      take(carried_);
    }
  }

  std::array<char, max_line> buffer_{};
  std::size_t size_ = 0;
  std::uint32_t oversize_ = 0;
  LineEnding ending_ = LineEnding::lf;
  char carried_ = 0;
  bool has_carried_ = false;
  bool cr_pending_ = false;
  bool too_long_ = false;
  bool complete_ = false;
};

}  // namespace firebreak::guard
