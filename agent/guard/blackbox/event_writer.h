#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/guard/blackbox/black_box.h"
#include "agent/guard/blackbox/event_store.h"
#include "agent/guard/blackbox/file_lock.h"
#include "agent/guard/blackbox/record.h"
#include "agent/guard/blackbox/retry.h"

namespace firebreak::guard {

/// Brings records to the disk whatever the disk does: opens, writes, closes and recovers after a
/// lost write, puts a damaged file aside, and keeps what waits within bounds. Thread `store` only.
class EventWriter {
 public:
  /// `before_close` is called before the file is abandoned or renamed, so that readers let go.
  EventWriter(const BlackBoxOptions& options, const Clock& clock,
              std::function<void()> before_close);

  /// Takes a record; `evidence` (JSON object text, or empty) joins its data. When `waiting_max` is
  /// reached, the oldest of the least severe is dropped and counted.
  void accept(const BlackBoxRecord& record, std::string evidence);

  /// Counts events that were lost before they came here.
  void count_lost_events(std::uint64_t count) noexcept;
  void count_lost_samples(std::uint64_t count) noexcept;

  /// Writes all that waits, if the disk lets it. `durable_log`, `durable_seq`: what the coordinator
  /// has.
  void write(const std::string& durable_log, std::int64_t durable_seq);

  /// Someone read an event that does not verify: put the file aside at the next write().
  void suspect(std::string reason);

  /// Says something of the store's own: an event with the time of now.
  void say(EventKind kind, Severity severity, std::string_view text, std::string_view data = {});

  /// True once the folder is ours alone; before that nothing in it is touched.
  [[nodiscard]] bool owns_folder() const noexcept { return lock_ || !options_.vfs.empty(); }
  [[nodiscard]] bool is_open() const noexcept { return store_.has_value(); }
  [[nodiscard]] bool ok() const noexcept { return store_.has_value() && !retry_.failing(); }
  [[nodiscard]] const std::string& detail() const noexcept { return detail_; }
  /// What is acknowledged; survives while the file is closed.
  [[nodiscard]] const std::string& log() const noexcept { return log_; }
  [[nodiscard]] const EventStore::Head& head() const noexcept { return head_; }
  [[nodiscard]] std::int64_t durable_seq() const noexcept { return durable_seq_; }
  [[nodiscard]] std::size_t waiting() const noexcept { return waiting_.size(); }
  [[nodiscard]] std::uint64_t events_lost() const noexcept { return events_lost_; }
  [[nodiscard]] std::uint64_t samples_lost() const noexcept { return samples_lost_; }
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  struct Waiting {
    BlackBoxRecord record;
    std::string evidence;
  };
  // A batch whose commit failed in a way that leaves open whether it is on the disk.
  struct InFlight {
    std::size_t count;
    EventStore::Head head;
  };

  bool own_folder();
  bool open();
  bool settle_after_open();
  bool write_batch();
  void keep_house();
  void failed(const Error& error);
  void replace(const Error& reason);
  void report_losses();
  void recovered();
  [[nodiscard]] EventStore::Entry entry_of(const Waiting& item, std::int64_t seq,
                                           const chain::Digest& previous) const;

  const BlackBoxOptions& options_;
  const Clock& clock_;
  const std::function<void()> before_close_;
  const std::filesystem::path path_;

  std::optional<FileLock> lock_;  // for both files; taken once, held to the end
  std::optional<EventStore> store_;
  std::deque<Waiting> waiting_;
  std::optional<InFlight> in_flight_;
  Retry retry_;
  std::string detail_;
  std::optional<std::string> suspicion_;

  std::string log_;
  EventStore::Head head_;
  std::int64_t durable_seq_ = 0;
  std::int64_t durable_wanted_ = 0;
  MonotonicTime durable_written_{};

  std::uint64_t events_lost_ = 0;
  std::uint64_t samples_lost_ = 0;
  std::uint64_t events_reported_ = 0;
  std::uint64_t samples_reported_ = 0;
};

}  // namespace firebreak::guard
