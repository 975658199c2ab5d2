#pragma once

#include <array>
#include <string_view>

#include "agent/guard/proxy/byte_buffer.h"

namespace firebreak::guard {

/// The way from the printer to the host. Bytes pass unchanged as they come; only while an answer
/// to a question of our own is due are lines held until it is known whose they are. Link thread
/// only; no allocation. A host that does not read loses the newest bytes, never ours.
class HostStream {
 public:
  /// Takes one byte of the printer. `holding`: a line that begins now is held until end_line().
  void take(char byte, bool holding) noexcept {
    if (size_ == 0 && !passing_line_) passing_line_ = !holding;
    if (passing_line_) {
      put({&byte, 1});
      ++size_;
      return;
    }
    held_[size_++] = byte;
    if (size_ == held_.size()) release();  // Too long to be an answer of ours.
  }

  /// The line is over. `swallow`: it answers our own question and the host must not see it.
  void end_line(bool swallow) noexcept {
    if (!passing_line_ && !swallow) put({held_.data(), size_});
    size_ = 0;
    passing_line_ = false;
  }

  /// Lets go of a held part, e.g. because the line stays unfinished for long.
  void release() noexcept {
    if (passing_line_ || size_ == 0) return;
    put({held_.data(), size_});
    passing_line_ = true;
  }

  /// A whole line of the proxy's own. Only between the printer's lines; false otherwise.
  bool insert(std::string_view lines) noexcept {
    return size_ == 0 && (lines.empty() || to_host.append(lines));
  }
  /// Ends a line that its printer has left unfinished, so that insert() can go on.
  void break_line() noexcept {
    if (size_ == 0) return;
    release();
    put("\n");
    size_ = 0;
    passing_line_ = false;
  }

  void clear() noexcept {
    to_host.clear();
    size_ = 0;
    passing_line_ = false;
  }

  ByteBuffer<8192> to_host;
  std::uint32_t dropped_bytes = 0;

 private:
  void put(std::string_view bytes) noexcept {
    if (!to_host.append(bytes)) dropped_bytes += static_cast<std::uint32_t>(bytes.size());
  }

  std::array<char, 600> held_{};
  std::size_t size_ = 0;
  bool passing_line_ = false;
};

}  // namespace firebreak::guard
