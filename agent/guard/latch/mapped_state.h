#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>

#include "agent/guard/core/descriptor_keeper.h"
#include "agent/guard/core/shared.h"
#include "agent/guard/latch/crc32.h"
#include "agent/guard/machine/machine.h"
#include "common/base/result.h"

namespace firebreak::guard {

/// A value in mapped memory that a kill at any instruction leaves either old or new, never torn:
/// the idle copy is written and summed, then one word makes it the valid one.
/// One writer; readers on other threads go through a Seqlock of their own.
template <class T>
class Committed {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  void commit(const T& value) noexcept {
    const std::uint32_t next = active_.load(std::memory_order_relaxed) ^ 1U;
    copies_[next & 1U] = value;
    sums_[next & 1U] = crc32(&copies_[next & 1U], sizeof(T));
    active_.store(next, std::memory_order_release);
  }

  /// False if the valid copy does not match its sum.
  bool load(T& value) const noexcept {
    const std::uint32_t now = active_.load(std::memory_order_acquire) & 1U;
    if (sums_[now] != crc32(&copies_[now], sizeof(T))) return false;
    value = copies_[now];
    return true;
  }

 private:
  std::atomic<std::uint32_t> active_{0};
  std::array<std::uint32_t, 2> sums_{};
  std::array<T, 2> copies_{};
};

/// What the whole host remembers beside its printers. Times are CLOCK_MONOTONIC nanoseconds.
struct HostMemory {
  bool latched = false;
  std::uint8_t reserved[3] = {};
  CauseSet causes = 0;
  std::uint32_t generation = 0;
  std::uint32_t reserved2 = 0;
  std::array<std::int64_t, machine::times::park_restarts> restarts_ns{};  ///< Newest last.
};

/// The layout of the mapping. Plain bytes with a version: another layout is treated as no memory.
struct MappedLayout {
  static constexpr std::uint64_t magic_value = 0x3142'4b41'4552'4246;  // "FBREAKB1" read as bytes
  static constexpr std::uint32_t layout_version = 3;
  static constexpr std::size_t detector_bytes = 16 * 1024;  ///< Of one printer's detectors.

  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t size;
  char boot_id[40];
  std::atomic<std::int64_t> last_pulse_ns;
  std::atomic<std::uint32_t> handed_over;  ///< 1: the last run ended on purpose, to be resumed.
  std::uint32_t reserved;
  Committed<HostMemory> host;
  struct Printer {
    char name[40];
    std::uint32_t configuration;  ///< Sum of what the state depends on; another one voids it.
    std::uint32_t reserved;
    Committed<machine::Memory> memory;
    alignas(64) std::byte detectors[detector_bytes];
  };
  std::array<Printer, max_printers> printers;
};

/// The guard's memory that outlives the guard: a memfd in the service manager's descriptor store.
/// Without a service manager it lives as long as the process.
class MappedState {
 public:
  /// Takes the mapping that an earlier run left, or makes a new, zeroed one. A mapping of another
  /// size, version or boot is replaced and `fresh()` says so.
  static Result<std::unique_ptr<MappedState>> open(DescriptorKeeper& keeper,
                                                   std::string_view boot_id);
  ~MappedState();
  MappedState(const MappedState&) = delete;
  MappedState& operator=(const MappedState&) = delete;

  /// Leaves a filled-in mapping with `keeper` for the next run. Call it when every printer has
  /// made its first step: from here on a kill finds a valid latch.
  void publish(DescriptorKeeper& keeper);

  [[nodiscard]] bool fresh() const noexcept { return fresh_; }
  [[nodiscard]] MappedLayout& layout() noexcept { return *layout_; }

  /// The entry of a printer by name, or null if the earlier run did not have it.
  [[nodiscard]] MappedLayout::Printer* find(std::string_view name) noexcept;

 private:
  MappedState(int fd, MappedLayout* layout, bool fresh) : fd_(fd), layout_(layout), fresh_(fresh) {}

  int fd_;
  MappedLayout* layout_;
  bool fresh_;
};

/// This boot's identity as the kernel gives it (/proc/sys/kernel/random/boot_id, its 32 digits).
std::string read_boot_id();

}  // namespace firebreak::guard
