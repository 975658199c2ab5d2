#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "agent/guard/blackbox/record.h"
#include "common/storage/database.h"

namespace firebreak::guard {

/// The ring of samples in its own SQLite file: what wears and grows most cannot take the events
/// with it. A row holds all readings of one heater of one batch. One thread.
class SampleStore {
 public:
  /// Readings of one heater, oldest first.
  struct Block {
    std::string printer;
    std::string heater;
    std::vector<Sample> samples;
  };

  /// `samples_max`: how many the ring keeps; the oldest rows make room.
  [[nodiscard]] static Result<SampleStore> open(const std::filesystem::path& path,
                                                const std::string& vfs, const std::string& boot_id,
                                                std::int64_t samples_max);

  /// Opens the file of a guard that may be running, for reading alone: nothing is created, locked
  /// for long or migrated. refused: another version's file.
  [[nodiscard]] static Result<SampleStore> open_to_read(const std::filesystem::path& path);

  /// What the file holds, the oldest first. A series is one heater of one boot of the host.
  struct Series {
    std::string boot;
    std::string printer;
    std::string heater;
  };
  [[nodiscard]] Result<std::vector<Series>> series();
  /// All kept readings of a series, oldest first.
  [[nodiscard]] Result<std::vector<Sample>> read(const Series& series);

  /// Writes all blocks in one FULL transaction and drops what is too old.
  [[nodiscard]] Result<void> write(std::span<const Block> blocks);

  /// All kept readings of one heater of this boot, oldest first. For tests and export.
  [[nodiscard]] Result<std::vector<Sample>> read(const std::string& printer,
                                                 const std::string& heater);

  [[nodiscard]] bool lost_writes() const noexcept { return database_.lost_writes(); }
  void abandon() noexcept { database_.abandon(); }

 private:
  explicit SampleStore(storage::Database database) : database_(std::move(database)) {}
  [[nodiscard]] Result<std::int64_t> series_of(const Block& block);

  storage::Database database_;
  std::string boot_id_;
  std::int64_t samples_max_ = 0;
  std::int64_t total_ = 0;  ///< Samples ever written to this file.
};

}  // namespace firebreak::guard
