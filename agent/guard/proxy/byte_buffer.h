#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <string_view>

namespace firebreak::guard {

/// A bounded first-in-first-out of bytes without allocation.
template <std::size_t capacity>
class ByteBuffer {
 public:
  [[nodiscard]] std::size_t size() const noexcept { return end_ - begin_; }
  [[nodiscard]] bool empty() const noexcept { return begin_ == end_; }
  [[nodiscard]] std::size_t room() const noexcept { return capacity - size(); }
  /// All bytes, oldest first; valid until the next change.
  [[nodiscard]] std::string_view view() const noexcept { return {data_.data() + begin_, size()}; }

  /// All or nothing: false if they do not fit.
  bool append(std::string_view bytes) noexcept {
    if (bytes.size() > room()) return false;
    if (bytes.size() > capacity - end_) {
      std::memmove(data_.data(), data_.data() + begin_, size());
      end_ -= begin_;
      begin_ = 0;
    }
    std::copy(bytes.begin(), bytes.end(), data_.begin() + static_cast<std::ptrdiff_t>(end_));
    end_ += bytes.size();
    return true;
  }

  void drop_front(std::size_t count) noexcept {
    begin_ += std::min(count, size());
    if (begin_ == end_) clear();
  }
  void clear() noexcept { begin_ = end_ = 0; }

 private:
  std::array<char, capacity> data_{};
  std::size_t begin_ = 0, end_ = 0;
};

}  // namespace firebreak::guard
