#pragma once

#include <filesystem>
#include <utility>

#include "common/base/result.h"

namespace firebreak::guard {

/// Says to other processes that this one owns something; ends with the process, however it dies.
class FileLock {
 public:
  /// Makes the file when it is missing. refused: another process holds it. unavailable: the file
  /// cannot be opened.
  [[nodiscard]] static Result<FileLock> take(const std::filesystem::path& file);

  FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileLock& operator=(FileLock&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileLock();

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace firebreak::guard
