#pragma once

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "common/base/result.h"

namespace firebreak::coordinator {

/// Keeps a second coordinator off the same state folder for as long as the object lives.
class StateLock {
 public:
  StateLock() = default;
  StateLock(const StateLock&) = delete;
  StateLock& operator=(const StateLock&) = delete;
  ~StateLock() {
    if (file_ >= 0) ::close(file_);
  }

  /// Errors: unavailable (somebody has it).
  Result<void> take(const std::filesystem::path& state_dir) {
    const std::string path = state_dir / "lock";
    file_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file_ < 0 || ::flock(file_, LOCK_EX | LOCK_NB) != 0)
      return fail(ErrorCode::unavailable,
                  state_dir.string() + ": another coordinator uses this state folder");
    return {};
  }

 private:
  int file_ = -1;
};

}  // namespace firebreak::coordinator
