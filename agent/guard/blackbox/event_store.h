#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "common/chain/sha256.h"
#include "common/storage/database.h"

namespace firebreak::guard {

/// The events of one log in one SQLite file: gapless, chained, FULL-synchronous.
/// One thread. Errors: unavailable (disk), corrupt (put the file aside).
class EventStore {
 public:
  struct Head {
    std::int64_t seq = 0;
    chain::Digest hash{};
  };
  /// One event ready for the disk.
  struct Entry {
    std::vector<std::uint8_t> body;  ///< Canonical bytes.
    chain::Digest hash{};
  };

  /// Opens or creates; checks the file's structure, that nothing is missing between its first and
  /// last event, and the chain of the last `verified_at_open` events.
  [[nodiscard]] static Result<EventStore> open(const std::filesystem::path& path,
                                               const std::string& vfs);
  /// Older events are verified when they are read.
  static constexpr std::int64_t verified_at_open = 1000;

  /// Appends all entries in one transaction; on the disk when it returns success.
  [[nodiscard]] Result<void> append(std::span<const Entry> entries, std::int64_t durable_seq);

  /// Remembers what the coordinator has.
  [[nodiscard]] Result<void> set_durable(std::int64_t durable_seq);

  /// Drops the oldest events up to `seq` (exclusive of the newest), at most `limit` of them.
  /// Returns how many went.
  [[nodiscard]] Result<std::int64_t> prune(std::int64_t seq, std::int64_t limit);

  [[nodiscard]] const std::string& log() const noexcept { return log_; }
  [[nodiscard]] const Head& head() const noexcept { return head_; }
  [[nodiscard]] std::int64_t first_seq() const noexcept { return first_seq_; }
  [[nodiscard]] std::int64_t durable_seq() const noexcept { return durable_seq_; }
  [[nodiscard]] bool lost_writes() const noexcept { return database_.lost_writes(); }
  /// Closes without trusting the write-ahead log.
  void abandon() noexcept { database_.abandon(); }

 private:
  explicit EventStore(storage::Database database) : database_(std::move(database)) {}
  [[nodiscard]] Result<void> create_log();
  [[nodiscard]] Result<void> load();
  [[nodiscard]] Result<void> verify_tail();
  [[nodiscard]] Error damaged(const std::string& what) const;

  storage::Database database_;
  std::string log_;
  Head head_;
  std::int64_t first_seq_ = 1;  ///< Oldest event that is still there (head + 1 when none is).
  std::int64_t durable_seq_ = 0;
};

/// Reads events on a connection of its own (thread `control`).
class EventReader {
 public:
  struct Row {
    std::int64_t seq = 0;
    chain::Digest hash{};
    std::vector<std::uint8_t> body;
  };
  [[nodiscard]] static Result<EventReader> open(const std::filesystem::path& path,
                                                const std::string& vfs);
  /// Rows with seq > `after`, each verified against the hash before it.
  [[nodiscard]] Result<std::vector<Row>> after(std::int64_t after, std::size_t limit,
                                               std::size_t bytes_max);
  void abandon() noexcept { database_.abandon(); }

 private:
  explicit EventReader(storage::Database database) : database_(std::move(database)) {}
  storage::Database database_;
};

}  // namespace firebreak::guard
