#include "tests/simulator/serial_input.h"

#include <algorithm>
#include <cstdlib>

namespace firebreak::sim {
namespace {

bool is_end(char c) { return c == '\n' || c == '\r'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

constexpr std::size_t kWatchedLineBytes = 32;
// Bytes that are under way between the host's kernel and the ring (a USB packet).
constexpr std::size_t kWireBytes = 64;
constexpr std::size_t kReadChunkBytes = 4096;

}  // namespace

EmergencyParser::State EmergencyParser::next(char byte) const {
  switch (state_) {
    case State::start:
      if (byte == ' ' || is_end(byte)) return State::start;
      return byte == 'N' ? State::number : byte == 'M' ? State::m : State::ignore;
    case State::number:
      if (is_digit(byte) || byte == '-' || byte == ' ') return State::number;
      return byte == 'M' ? State::m : State::ignore;
    case State::m:
      if (byte == ' ') return State::m;
      return byte == '1' ? State::m1 : byte == '4' ? State::m4 : State::ignore;
    case State::m1: return byte == '0' ? State::m10 : byte == '1' ? State::m11 : State::ignore;
    case State::m10: return byte == '8' ? State::m108 : State::ignore;
    case State::m11: return byte == '2' ? State::m112 : State::ignore;
    case State::m4: return byte == '1' ? State::m41 : State::ignore;
    case State::m41: return byte == '0' ? State::m410 : State::ignore;
    default: return state_;
  }
}

Emergency EmergencyParser::take(char byte) {
  const State before = state_;
  if (!is_end(byte)) {
    state_ = next(byte);
    return Emergency::none;
  }
  state_ = State::start;
  switch (before) {
    case State::m108: return Emergency::break_wait;
    case State::m112: return Emergency::halt;
    case State::m410: return Emergency::quick_stop;
    default: return Emergency::none;
  }
}

int HaltWatcher::take(std::string_view bytes) {
  int found = 0;
  for (const char byte : bytes) {
    if (is_end(byte)) {
      line_.clear();
      continue;
    }
    if (byte == ' ' || line_.size() >= kWatchedLineBytes) continue;
    line_ += byte;
    if (byte != '2') continue;
    std::size_t at = 0;
    if (line_[0] == 'N') {
      at = 1;
      while (at < line_.size() && is_digit(line_[at])) ++at;
    }
    if (line_.compare(at, std::string::npos, "M112") == 0) ++found;
  }
  return found;
}

void LineReader::clear() {
  line_.clear();
  skip_rest_ = escaped_ = poisoned_ = false;
}

std::optional<LineResult> LineReader::take(char byte) {
  if (is_end(byte)) return finish();
  if (byte == '\0') poisoned_ = true;
  if (skip_rest_) return std::nullopt;
  if (byte == ';' && !escaped_) {
    skip_rest_ = true;
    return std::nullopt;
  }
  if (byte == '\\' && !escaped_) {
    escaped_ = true;
    return std::nullopt;
  }
  escaped_ = false;
  line_ += byte;
  if (line_.size() >= line_bytes_ - 1) skip_rest_ = true;
  return std::nullopt;
}

std::optional<LineResult> LineReader::finish() {
  std::string line = std::move(line_);
  const bool drop = poisoned_ || line.empty();
  clear();
  if (drop) return std::nullopt;
  const std::size_t start = line.find_first_not_of(' ');
  const std::string_view command =
      start == std::string::npos ? std::string_view() : std::string_view(line).substr(start);
  if (command.empty() || command[0] != 'N') return LineResult{line, std::nullopt};
  bool duplicate = false;
  auto fault = check_number(command, &duplicate);
  if (duplicate) return std::nullopt;
  if (fault) return LineResult{"", fault};
  return LineResult{line, std::nullopt};
}

std::optional<LineFault> LineReader::check_number(std::string_view command, bool* duplicate) {
  const std::string text(command);
  const bool sets_number = text.find("M110") != std::string::npos;
  std::size_t number_at = 0;
  if (sets_number) {
    const std::size_t second = text.find('N', 4);
    if (second != std::string::npos) number_at = second;
  }
  const long number = std::strtol(text.c_str() + number_at + 1, nullptr, 10);
  if (number != last_line_ + 1 && !sets_number) {
    *duplicate = number == last_line_ || number == last_line_ - 1;
    return LineFault{"Line Number is not Last Line Number+1, Last Line: ", last_line_};
  }
  const std::size_t star = text.rfind('*');
  if (star == std::string::npos) {
    return LineFault{"No Checksum with line number, Last Line: ", last_line_};
  }
  unsigned char sum = 0;
  for (std::size_t i = 0; i < star; ++i) sum ^= static_cast<unsigned char>(text[i]);
  if (std::strtol(text.c_str() + star + 1, nullptr, 10) != sum) {
    return LineFault{"checksum mismatch, Last Line: ", last_line_};
  }
  last_line_ = number;
  return std::nullopt;
}

SerialInput::SerialInput(const Dialect& dialect)
    : emergency_parser_(dialect.emergency_parser),
      emergency_bytes_(dialect.emergency_bytes),
      full_input_(dialect.full_input),
      ring_bytes_(dialect.ring_bytes),
      byte_time_(dialect.baud == 0 ? Nanos{0}
                                   : Nanos{std::int64_t{10'000'000'000} / dialect.baud}) {}

void SerialInput::send(std::string_view bytes, Nanos now) {
  if (wire_.empty()) wire_time_ = std::max(wire_time_, now);
  wire_.insert(wire_.end(), bytes.begin(), bytes.end());
  received_ += bytes.size();
}

std::size_t SerialInput::room() const {
  const std::size_t limit = full_input_ == FullInput::drop ? kReadChunkBytes : kWireBytes;
  return wire_.size() < limit ? limit - wire_.size() : 0;
}

bool SerialInput::blocked() const {
  return full_input_ == FullInput::wait && ring_.size() >= ring_bytes_;
}

std::optional<Nanos> SerialInput::next_arrival() const {
  if (wire_.empty() || blocked()) return std::nullopt;
  // Nothing happens before the end of a line or of what is there, so time may jump to it.
  std::size_t count = wire_.size();
  if (full_input_ == FullInput::wait) count = std::min(count, ring_bytes_ - ring_.size());
  for (std::size_t i = 0; i < count; ++i) {
    if (is_end(wire_[i])) count = i + 1;
  }
  return wire_time_ + byte_time_ * static_cast<std::int64_t>(count);
}

std::optional<char> SerialInput::next_arrived(Nanos now) {
  if (wire_.empty()) return std::nullopt;
  if (blocked()) {
    wire_time_ = now;  // the line stands still
    return std::nullopt;
  }
  if (wire_time_ + byte_time_ > now) return std::nullopt;
  const char byte = wire_.front();
  wire_.pop_front();
  wire_time_ += byte_time_;
  if (ring_.size() < ring_bytes_) {
    ring_.push_back(byte);
  } else {
    ++dropped_;
  }
  return byte;
}

std::optional<char> SerialInput::take() {
  if (ring_.empty()) return std::nullopt;
  const char byte = ring_.front();
  ring_.pop_front();
  return byte;
}

void SerialInput::clear() {
  wire_.clear();
  ring_.clear();
  parser_ = EmergencyParser();
}

}  // namespace firebreak::sim
