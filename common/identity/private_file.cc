#include "common/identity/private_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "common/base/system_reason.h"

namespace firebreak::identity {
namespace {

/// A descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return number_; }

 private:
  int number_;
};

tl::unexpected<Error> failure(const std::string& path, const char* step) {
  const int reason = errno;
  return fail(reason == ENOENT ? ErrorCode::not_found : ErrorCode::unavailable,
              path + ": " + step + ": " + system_reason(reason));
}

bool write_all(int file, std::string_view content) {
  while (!content.empty()) {
    const ssize_t taken = ::write(file, content.data(), content.size());
    if (taken < 0 && errno == EINTR) continue;
    if (taken <= 0) return false;
    content.remove_prefix(static_cast<std::size_t>(taken));
  }
  return true;
}

}  // namespace

Result<void> write_private_file(const std::string& path, std::string_view content) {
  const std::string beside = path + ".new";
  {
    const Descriptor file(
        ::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (file.get() < 0) return failure(beside, "cannot be made");
    if (::fchmod(file.get(), 0600) != 0) return failure(beside, "cannot be made private");
    if (!write_all(file.get(), content)) return failure(beside, "cannot be written");
    if (::fsync(file.get()) != 0) return failure(beside, "cannot be synced");
  }
  if (::rename(beside.c_str(), path.c_str()) != 0) return failure(path, "cannot be replaced");
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const Descriptor directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0 || ::fsync(directory.get()) != 0) {
    return failure(folder, "cannot be synced");
  }
  return {};
}

Result<std::string> read_private_file(const std::string& path, std::size_t bytes_max) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) return failure(path, "cannot be read");
  struct stat facts {};
  if (::fstat(file.get(), &facts) != 0) return failure(path, "cannot be read");
  if (!S_ISREG(facts.st_mode)) return fail(ErrorCode::bad_input, path + ": not a plain file");
  std::string content(bytes_max + 1, '\0');
  std::size_t size = 0;
  while (size < content.size()) {
    const ssize_t got = ::read(file.get(), content.data() + size, content.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failure(path, "cannot be read");
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > bytes_max) {
    return fail(ErrorCode::bad_input, path + ": longer than " + std::to_string(bytes_max) +
                                          " bytes, so not what belongs there");
  }
  content.resize(size);
  return content;
}

bool open_to_others(const std::string& path) {
  struct stat facts {};
  return ::stat(path.c_str(), &facts) == 0 && (facts.st_mode & 077) != 0;
}

}  // namespace firebreak::identity
