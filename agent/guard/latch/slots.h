#pragma once

#include <array>
#include <cstdint>
#include <filesystem>

#include "agent/guard/core/shared.h"
#include "common/base/result.h"

namespace firebreak::guard {

/// The latch as it is kept on disk, for a host that loses power. Plain bytes of a fixed size.
struct SlotContent {
  struct Printer {
    char name[40] = {};
    std::uint8_t latched = 1;
    std::uint8_t parked = 0;
    std::uint8_t first_cause = 0;
    std::uint8_t reserved = 0;
    CauseSet causes = 0;
    std::uint32_t generation = 0;
    std::uint32_t cold_minutes = 0;  ///< Whole minutes recorded cold and idle, up to 60.
  };
  std::uint64_t counter = 0;  ///< Rises with each write; the larger slot is the newer.
  std::uint32_t boots = 0;    ///< Starts of the host since it last stayed up 15 minutes.
  std::uint32_t host_latched = 0;
  CauseSet host_causes = 0;
  std::uint32_t host_generation = 0;
  char boot_id[40] = {};
  std::array<Printer, max_printers> printers{};
};

/// Two preallocated files of one block each, written in turn and synced: a power cut at any moment
/// leaves at least one whole. Used by the slot thread alone; may block for as long as a disk does.
class Slots {
 public:
  static constexpr std::size_t file_bytes = 4096;

  /// Locks `folder` for this process, and opens (and preallocates, where missing) `latch.0` and
  /// `latch.1` in it. Fails only when another guard holds the folder: a disk that is full,
  /// read-only or broken costs the memory of a latch, never the protection; read() and write() then
  /// say so.
  static Result<Slots> open(const std::filesystem::path& folder);
  Slots(Slots&& other) noexcept;
  Slots& operator=(Slots&&) = delete;
  ~Slots();

  /// The newer readable slot. ErrorCode::corrupt if neither can be read: first start, lost or torn.
  Result<SlotContent> read() const;

  /// Writes over the older slot and syncs it; raises `content.counter`. On an error the newer slot
  /// still holds what was last written.
  Result<void> write(SlotContent& content);

 private:
  Slots(int lock, std::filesystem::path folder);

  int lock_;
  std::array<int, 2> files_;
  std::filesystem::path folder_;
  std::uint64_t counter_ = 0;
};

}  // namespace firebreak::guard
