#include "agent/guard/latch/mapped_state.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <new>

namespace firebreak::guard {
namespace {

constexpr std::string_view store_name = "latch";

bool fits(const MappedLayout& layout, std::string_view boot_id) {
  const std::size_t length = strnlen(layout.boot_id, sizeof(layout.boot_id));
  return layout.magic == MappedLayout::magic_value &&
         layout.version == MappedLayout::layout_version && layout.size == sizeof(MappedLayout) &&
         std::string_view(layout.boot_id, length) == boot_id;
}

MappedLayout* map(int fd) {
  struct stat info {};
  if (fstat(fd, &info) != 0 || info.st_size != sizeof(MappedLayout)) return nullptr;
  void* memory = mmap(nullptr, sizeof(MappedLayout), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<MappedLayout*>(memory);
}

}  // namespace

Result<std::unique_ptr<MappedState>> MappedState::open(DescriptorKeeper& keeper,
                                                       std::string_view boot_id) {
  if (const auto kept = keeper.take(store_name)) {
    MappedLayout* layout = map(*kept);
    if (layout != nullptr && fits(*layout, boot_id)) {
      return std::unique_ptr<MappedState>(new MappedState(*kept, layout, false));
    }
    if (layout != nullptr) munmap(layout, sizeof(MappedLayout));
    close(*kept);
    keeper.forget(store_name);
  }
  const int fd = memfd_create("firebreak-latch", MFD_CLOEXEC);
  if (fd < 0 || ftruncate(fd, sizeof(MappedLayout)) != 0) {
    if (fd >= 0) close(fd);
    return fail(ErrorCode::unavailable,
                "latch memory: the kernel gives no memory file; free some memory and start again");
  }
  void* memory = mmap(nullptr, sizeof(MappedLayout), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) {
    close(fd);
    return fail(ErrorCode::unavailable,
                "latch memory: cannot be mapped; free some memory and start again");
  }
  auto* layout = new (memory) MappedLayout{};
  layout->version = MappedLayout::layout_version;
  layout->size = sizeof(MappedLayout);
  boot_id.copy(layout->boot_id, sizeof(layout->boot_id) - 1);
  return std::unique_ptr<MappedState>(new MappedState(fd, layout, true));
}

void MappedState::publish(DescriptorKeeper& keeper) {
  // The magic comes last: a run that dies before this left nothing that a later one would trust.
  std::atomic_thread_fence(std::memory_order_release);
  layout_->magic = MappedLayout::magic_value;
  if (fresh_) keeper.keep(store_name, fd_);
}

MappedState::~MappedState() {
  munmap(layout_, sizeof(MappedLayout));
  close(fd_);
}

MappedLayout::Printer* MappedState::find(std::string_view name) noexcept {
  for (auto& printer : layout_->printers) {
    const std::size_t length = strnlen(printer.name, sizeof(printer.name));
    if (length != 0 && std::string_view(printer.name, length) == name) return &printer;
  }
  return nullptr;
}

std::string read_boot_id() {
  char text[64] = {};
  const int fd = ::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return "unknown";
  const ssize_t size = read(fd, text, sizeof(text) - 1);
  close(fd);
  std::string id(text, size > 0 ? static_cast<std::size_t>(size) : 0);
  std::erase_if(id, [](char c) { return c == '\n' || c == '-'; });
  return id.empty() ? "unknown" : id;
}

}  // namespace firebreak::guard
