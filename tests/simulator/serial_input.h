// How bytes reach the firmware: wire, receive ring, emergency parser, lines, command queue.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "tests/simulator/dialect.h"

namespace firebreak::sim {

// What the emergency parser found at the end of a line.
enum class Emergency { none, halt, break_wait, quick_stop };

// Marlin's emergency parser: a byte at a time, at the moment of arrival. Half a line in front
// hides a command, and it acts on the end of the line only.
class EmergencyParser {
 public:
  Emergency take(char byte);

 private:
  enum class State { start, number, m, m1, m10, m11, m4, m41, m108, m112, m410, ignore };
  State next(char byte) const;
  State state_ = State::start;
};

// Counts M112 at the start of a line (after blanks and a line number) in whatever was read, as an
// independent observer: it does not care what the firmware makes of the bytes.
class HaltWatcher {
 public:
  // Number of M112 whose last letter is in `bytes`.
  int take(std::string_view bytes);

 private:
  std::string line_;
};

// A complaint of the line reader; text as after "Error:".
struct LineFault {
  std::string text;
  long last_line;
};

// One complete line as the firmware sees it, or its refusal.
struct LineResult {
  std::string line;  // empty when refused or silently dropped
  std::optional<LineFault> fault;
};

// Collects characters to lines: comments, overlong lines, numbers and checksums.
class LineReader {
 public:
  explicit LineReader(std::size_t line_bytes) : line_bytes_(line_bytes) {}
  // Returns a result at the end of a line that calls for one; nothing for empty lines, comments,
  // lines with a NUL, and the repeat of a line that was accepted just before.
  std::optional<LineResult> take(char byte);
  void set_last_line(long number) { last_line_ = number; }
  void clear();

 private:
  std::optional<LineResult> finish();
  std::optional<LineFault> check_number(std::string_view command, bool* duplicate);

  std::size_t line_bytes_;
  std::string line_;
  bool skip_rest_ = false;
  bool escaped_ = false;
  bool poisoned_ = false;  // a NUL was in it
  long last_line_ = 0;
};

// The way from the host's bytes to the receive ring, at the speed of the line.
class SerialInput {
 public:
  explicit SerialInput(const Dialect& dialect);

  // Bytes that the host has put on the line.
  void send(std::string_view bytes, Nanos now);
  // How many more bytes a caller should take from the operating system now.
  std::size_t room() const;
  // Moves what has arrived by `now` into the ring; the emergency parser sees each byte.
  void arrive(Nanos now, const auto& on_emergency) {
    while (auto byte = next_arrived(now)) {
      const Emergency found = parser_.take(*byte);
      if (emergency_parser_ && found != Emergency::none) on_emergency(found);
      if (emergency_bytes_ && last_byte_ == '\xF0' && *byte == '\x0F')
        on_emergency(Emergency::halt);
      last_byte_ = *byte;
    }
  }
  // When arrive() has something to do next.
  std::optional<Nanos> next_arrival() const;
  std::optional<char> take();
  void clear();
  std::uint64_t dropped() const { return dropped_; }
  std::uint64_t received() const { return received_; }

 private:
  std::optional<char> next_arrived(Nanos now);
  bool blocked() const;

  bool emergency_parser_;
  bool emergency_bytes_;
  char last_byte_ = 0;
  FullInput full_input_;
  std::size_t ring_bytes_;
  Nanos byte_time_;
  std::deque<char> wire_;
  std::deque<char> ring_;
  Nanos wire_time_{0};  // when the previous byte had arrived
  std::uint64_t dropped_ = 0;
  std::uint64_t received_ = 0;
  EmergencyParser parser_;
};

}  // namespace firebreak::sim
