#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/base/clock.h"
#include "common/storage/database.h"
#include "coordinator/audit/audit_log.h"
#include "coordinator/store/store.h"

namespace firebreak::coordinator {

/// How long a caller waits for the writer. A disk that takes longer is a failing one.
inline constexpr std::chrono::seconds write_wait_max{10};
/// Jobs that may wait; beyond it callers are turned away at once.
inline constexpr std::size_t writer_queue_max = 4096;
/// Jobs that share one commit (and one fsync).
inline constexpr std::size_t writer_batch_max = 64;
/// The write-ahead log is moved into the file when it has grown to this: 4 MiB of 4 KiB pages.
inline constexpr int checkpoint_every_pages = 1000;
/// The same, where the log's size cannot be seen.
inline constexpr int checkpoint_every_commits = 40;

/// What a job works with, on the writer's thread, inside its own savepoint.
struct WriteContext {
  storage::Database& database;
  AuditLog& audit;
  std::uint64_t epoch;
  WallTime wall;
  bool stored_events = false;  ///< Set by a job that stored events, so that streams wake.

  [[nodiscard]] std::int64_t wall_ms() const { return wall.time_since_epoch().count(); }
  Result<AuditPosition> record(const AuditDraft& draft) {
    return audit.append(database, draft, epoch, wall);
  }
};

/// True for an error that a full disk (or the file's size limit) made.
bool is_disk_full(const Error& error);

/// The one thread that writes the database, and that owns its checkpoint: jobs are grouped into
/// transactions, each job in a savepoint of its own, so that a failed one takes nobody with it.
/// After a write that the disk refused, the connection is abandoned, the log is recovered and the
/// file opened again, as often as it takes; meanwhile jobs fail as unavailable.
class Writer {
 public:
  struct Options {
    std::filesystem::path file;
    chain::Digest audit_key{};
    storage::OpenOptions open;
    std::chrono::milliseconds reopen_every{1000};
    /// Close (true) and reopen (false) all other connections, around a recovery.
    std::function<void(bool)> suspend_readers;
    /// The disk takes writes again. On the writer's thread.
    std::function<void()> recovered;
  };
  using Job = std::function<Result<void>(WriteContext&)>;
  using Done = std::function<void(const Result<void>&)>;

  /// Makes sure that the log is on the disk, opens, migrates, raises the epoch, and starts the
  /// thread.
  static Result<std::unique_ptr<Writer>> open(Options options, const Clock& clock);
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  /// Queues a job. `done` comes on the writer's thread, after the commit or the failure; at once,
  /// on the caller's, when the queue is full.
  void post(Job job, Done done);

  /// Queues a job that gives a value and waits for its commit. The function is copied and may run
  /// after a caller that waited too long has left: it must own what it uses.
  template <class T>
  Result<T> run(std::function<Result<T>(WriteContext&)> job,
                std::chrono::milliseconds wait = write_wait_max) {
    auto value = std::make_shared<std::optional<T>>();
    auto outcome = std::make_shared<std::promise<Result<void>>>();
    auto future = outcome->get_future();
    post(
        [job = std::move(job), value](WriteContext& context) -> Result<void> {
          auto made = job(context);
          if (!made) return fail(made.error());
          *value = std::move(*made);
          return {};
        },
        [outcome](const Result<void>& result) { outcome->set_value(result); });
    if (future.wait_for(wait) != std::future_status::ready)
      return fail(ErrorCode::unavailable, "storage: no answer in time; the disk may be failing");
    if (auto result = future.get(); !result) return fail(result.error());
    return std::move(**value);
  }

  [[nodiscard]] std::uint64_t epoch() const { return epoch_; }
  [[nodiscard]] std::string head() const;
  [[nodiscard]] StoreHealth health() const { return health_.load(); }
  [[nodiscard]] std::int64_t newest_event() const { return newest_event_.load(); }
  void on_events(std::function<void()> listener);

 private:
  struct Entry {
    Job job;
    Done done;
  };
  struct Session {
    storage::Database database;
    AuditLog audit;
  };
  Writer(Options options, const Clock& clock);
  Result<void> open_session();
  Result<void> raise_epoch();
  void loop();
  std::deque<Entry> next_batch();
  void run_batch(std::deque<Entry> batch);
  /// What a job did to its batch.
  struct JobEnd {
    Result<void> outcome;
    std::optional<Error> lost;  ///< The batch's whole transaction is gone, for this reason.
    bool stored_events = false;
  };
  JobEnd run_job(const Entry& entry);
  Result<void> run_jobs(const std::deque<Entry>& batch, std::vector<Result<void>>& outcomes,
                        bool& stored_events);
  void after_commit(bool stored_events);
  void note_failure(const Error& error);
  void reopen();
  void checkpoint_when_grown();

  const Options options_;
  const Clock& clock_;
  std::uint64_t epoch_ = 0;  // constant after open()

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Entry> queue_;         // guarded by mutex_
  bool stopping_ = false;           // guarded by mutex_
  std::string head_;                // guarded by mutex_
  std::function<void()> listener_;  // guarded by mutex_

  std::atomic<StoreHealth> health_{StoreHealth::ok};
  std::atomic<std::int64_t> newest_event_{0};

  std::optional<Session> session_;    // the writer's thread only, after open()
  int commits_since_checkpoint_ = 0;  // the same
  std::thread thread_;
};

}  // namespace firebreak::coordinator
