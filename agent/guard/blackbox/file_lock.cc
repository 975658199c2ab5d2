#include "agent/guard/blackbox/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include "common/base/system_reason.h"

namespace firebreak::guard {

Result<FileLock> FileLock::take(const std::filesystem::path& file) {
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) {
    return fail(ErrorCode::unavailable,
                file.string() + " cannot be opened: " + system_reason(errno));
  }
  if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return FileLock(fd);
  const int error = errno;
  ::close(fd);
  if (error == EWOULDBLOCK) {
    return fail(ErrorCode::refused,
                file.string() + " is held by another process; is a second guard running here?");
  }
  return fail(ErrorCode::unavailable, file.string() + " cannot be locked: " + system_reason(error));
}

FileLock::~FileLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace firebreak::guard
