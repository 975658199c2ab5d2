#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "common/base/clock.h"

namespace firebreak::guard {

enum class Asker : std::uint8_t { host, own };
enum class Question : std::uint8_t { other, temperature, identity, autoreport, order, settings };

/// A line that is on its way to the printer and will be acknowledged.
struct PendingAnswer {
  Asker asker = Asker::host;
  Question question = Question::other;
  MonotonicTime sent_at{};
  bool alone = false;  ///< Own, and sent while no line of the host was under way.
};

/// Firmwares acknowledge lines in their order; this is that order, for lines of the host and of
/// the link. A host that streams without waiting may overflow it: the oldest entry is then
/// forgotten. Fixed size, link thread only.
class AnswerQueue {
 public:
  static constexpr std::size_t capacity = 128;

  void push(const PendingAnswer& answer) noexcept {
    if (size_ == capacity) pop();
    ++counts_[static_cast<std::size_t>(answer.asker)];
    entries_[(begin_ + size_++) % capacity] = answer;
  }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] const PendingAnswer& operator[](std::size_t i) const noexcept {
    return entries_[(begin_ + i) % capacity];
  }
  [[nodiscard]] const PendingAnswer& front() const noexcept { return (*this)[0]; }
  void pop(std::size_t count = 1) noexcept {
    count = count < size_ ? count : size_;
    for (std::size_t i = 0; i < count; ++i) --counts_[static_cast<std::size_t>((*this)[i].asker)];
    begin_ = (begin_ + count) % capacity;
    size_ -= count;
  }
  /// After a `Resend:`. The firmware has thrown away what it had not read yet, and the host sends
  /// that anew; a question that went out before all of it was read, and will be answered.
  void forget_unread() noexcept {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < size_; ++i) {
      const PendingAnswer answer = (*this)[i];
      if (answer.alone) entries_[(begin_ + kept++) % capacity] = answer;
    }
    size_ = kept;
    counts_ = {};
    counts_[static_cast<std::size_t>(Asker::own)] = kept;
  }
  /// True if all that wait are questions of our own, none of which could have been overtaken.
  [[nodiscard]] bool only_ours() const noexcept {
    for (std::size_t i = 0; i < size_; ++i) {
      if (!(*this)[i].alone) return false;
    }
    return size_ > 0;
  }
  void clear() noexcept {
    size_ = 0;
    counts_ = {};
  }

  /// Index of the oldest entry with this question, or size() if there is none.
  [[nodiscard]] std::size_t find(Question question) const noexcept {
    std::size_t i = 0;
    while (i < size_ && (*this)[i].question != question) ++i;
    return i;
  }
  [[nodiscard]] std::size_t count(Asker asker) const noexcept {
    return counts_[static_cast<std::size_t>(asker)];
  }
  [[nodiscard]] bool own_pending(Question question) const noexcept {
    for (std::size_t i = 0; i < size_; ++i) {
      if ((*this)[i].asker == Asker::own && (*this)[i].question == question) return true;
    }
    return false;
  }

 private:
  std::array<PendingAnswer, capacity> entries_{};
  std::size_t begin_ = 0, size_ = 0;
  std::array<std::size_t, 2> counts_{};
};

}  // namespace firebreak::guard
