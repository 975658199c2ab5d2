#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>

#include "common/base/result.h"

namespace firebreak::guard {

/// A listening unix stream socket and its file. Owns both: the file goes with it, unless somebody
/// has put another file in its place meanwhile. One thread.
class Listener {
 public:
  Listener() = default;
  Listener(Listener&& other) noexcept;
  Listener& operator=(Listener&& other) noexcept;
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener();

  /// Binds `path` with `mode`, owned by `group` where one is given and the kernel lets us (else the
  /// mode is narrowed to the owner, or to `mode_without_group`). A socket file that nobody listens
  /// on is replaced in one rename, so that no caller ever sees a wrong mode; one that is answered,
  /// or a file of another kind, is an error that says so.
  static Result<Listener> open(const std::filesystem::path& path, std::optional<gid_t> group,
                               mode_t mode, mode_t mode_without_group);

  [[nodiscard]] int fd() const noexcept { return fd_; }

 private:
  int fd_ = -1;
  std::filesystem::path path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace firebreak::guard
