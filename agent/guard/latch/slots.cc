#include "agent/guard/latch/slots.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <type_traits>
#include <utility>

#include "agent/guard/latch/crc32.h"

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

int open_file(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return -1;
  // Blocks are reserved now, so that a full disk cannot refuse the latch later.
  if (posix_fallocate(fd, 0, Slots::file_bytes) != 0) {
    close(fd);
    return -1;
  }
  return fd;
}

}  // namespace

Result<Slots> Slots::open(const std::filesystem::path& folder) {
  const int first = open_file(folder / "latch.0");
  const int first_error = errno;
  const int second = open_file(folder / "latch.1");
  if (first < 0 || second < 0) {
    const int error = first < 0 ? first_error : errno;
    if (first >= 0) close(first);
    if (second >= 0) close(second);
    return fail(ErrorCode::unavailable,
                fmt::format("{}: the latch slots cannot be opened ({}); make the folder writable "
                            "for the guard and free some space",
                            folder.string(), std::strerror(error)));
  }
  Slots slots(first, second, folder);
  if (const auto content = slots.read()) slots.counter_ = content->counter;
  return slots;
}

Slots::Slots(int first, int second, std::filesystem::path folder)
    : files_{first, second}, folder_(std::move(folder)) {}

Slots::Slots(Slots&& other) noexcept
    : files_(std::exchange(other.files_, {-1, -1})),
      folder_(std::move(other.folder_)),
      counter_(other.counter_) {}

Slots::~Slots() {
  for (const int fd : files_) {
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
  const int fd = files_[content.counter & 1U];
  const bool taken = pwrite(fd, &file, sizeof(file), 0) == static_cast<ssize_t>(sizeof(file));
  if (!taken || fdatasync(fd) != 0) {
    return fail(ErrorCode::unavailable,
                fmt::format("{}: the latch could not be written ({}); it still holds in memory, "
                            "but a power cut would lose it: check the disk",
                            folder_.string(), std::strerror(errno)));
  }
  counter_ = content.counter;
  return {};
}

}  // namespace firebreak::guard
