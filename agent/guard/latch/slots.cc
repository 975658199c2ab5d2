#include "agent/guard/latch/slots.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <type_traits>
#include <utility>

#include "agent/guard/latch/crc32.h"
#include "common/base/system_reason.h"

namespace firebreak::guard {
namespace {

struct SlotFile {
  std::array<char, 8> magic;
  std::uint32_t version;
  std::uint32_t sum;
  SlotContent content;
};
static_assert(sizeof(SlotFile) <= Slots::file_bytes);
static_assert(std::has_unique_object_representations_v<SlotContent>, "summed as bytes");
constexpr std::array<char, 8> slot_magic{'F', 'B', 'L', 'A', 'T', 'C', 'H', '1'};
constexpr std::uint32_t slot_version = 1;

bool read_file(int fd, SlotFile& file) {
  if (pread(fd, &file, sizeof(file), 0) != static_cast<ssize_t>(sizeof(file))) return false;
  return file.magic == slot_magic && file.version == slot_version &&
         file.sum == crc32(&file.content, sizeof(file.content));
}

constexpr std::array names{"latch.0", "latch.1"};

// -1 where there is nothing to open; only readable where the disk takes no writes.
int open_file(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  // Blocks are reserved now, so that a full disk cannot refuse the latch later. A disk that is full
  // already says so at the first write.
  (void)posix_fallocate(fd, 0, Slots::file_bytes);
  return fd;
}

}  // namespace

Result<Slots> Slots::open(const std::filesystem::path& folder) {
  const int lock = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    close(lock);
    return fail(ErrorCode::unavailable,
                fmt::format("{}: another guard runs with this state_dir; two would fight for the "
                            "printers: end that one, or give this one its own folder",
                            folder.string()));
  }
  Slots slots(lock, folder);
  if (const auto content = slots.read()) slots.counter_ = content->counter;
  return slots;
}

Slots::Slots(int lock, std::filesystem::path folder)
    : lock_(lock),
      files_{open_file(folder / names[0]), open_file(folder / names[1])},
      folder_(std::move(folder)) {}

Slots::Slots(Slots&& other) noexcept
    : lock_(std::exchange(other.lock_, -1)),
      files_(std::exchange(other.files_, {-1, -1})),
      folder_(std::move(other.folder_)),
      counter_(other.counter_) {}

Slots::~Slots() {
  for (const int fd : {files_[0], files_[1], lock_}) {
    if (fd >= 0) close(fd);
  }
}

Result<SlotContent> Slots::read() const {
  SlotContent best;
  bool found = false;
  for (const int fd : files_) {
    SlotFile file{};
    if (!read_file(fd, file)) continue;
    if (!found || file.content.counter > best.counter) best = file.content;
    found = true;
  }
  if (!found) {
    return fail(ErrorCode::corrupt,
                fmt::format("{}: neither latch slot is readable (first start, or lost); every "
                            "printer comes up stopped: look at each and reset it at the machine",
                            folder_.string()));
  }
  return best;
}

Result<void> Slots::write(SlotContent& content) {
  content.counter = counter_ + 1;
  SlotFile file{slot_magic, slot_version, crc32(&content, sizeof(content)), content};
  const std::size_t index = content.counter & 1U;
  if (files_[index] < 0) files_[index] = open_file(folder_ / names[index]);
  const int fd = files_[index];
  const bool taken = pwrite(fd, &file, sizeof(file), 0) == static_cast<ssize_t>(sizeof(file));
  if (!taken || fdatasync(fd) != 0) {
    return fail(ErrorCode::unavailable,
                fmt::format("{}: the latch could not be written ({}); it still holds in memory, "
                            "but a power cut would lose it: check the disk",
                            folder_.string(), system_reason(errno)));
  }
  counter_ = content.counter;
  return {};
}

}  // namespace firebreak::guard
