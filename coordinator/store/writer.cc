#include "coordinator/store/writer.h"

#include "common/base/hex.h"
#include "common/log/log.h"
#include "coordinator/store/schema.h"

namespace firebreak::coordinator {
namespace {

bool is_busy(const Error& error) {
  return error.message.find("(SQLite 5:") != std::string::npos ||
         error.message.find("(SQLite 6:") != std::string::npos;
}

/// Runs a job; what it throws is its failure, so that no job can end the writer's thread.
Result<void> attempt(const Writer::Job& job, WriteContext& context) {
  try {
    return job(context);
  } catch (const std::exception& e) {
    return fail(ErrorCode::internal, std::string("storage: a change threw: ") + e.what());
  }
}

void tell(const Writer::Done& done, const Result<void>& result) {
  try {
    done(result);
  } catch (const std::exception& e) {
    log::error("store: an answer could not be taken: {}", e.what());
  }
}

}  // namespace

bool is_disk_full(const Error& error) {
  return error.message.find("(SQLite 13:") != std::string::npos;
}

Writer::Writer(Options options, const Clock& clock) : options_(std::move(options)), clock_(clock) {}

Result<std::unique_ptr<Writer>> Writer::open(Options options, const Clock& clock) {
  std::unique_ptr<Writer> writer(new Writer(std::move(options), clock));
  // A process that died after a failed sync left a log that only the kernel's memory has whole.
  if (auto recovered = storage::recover_log(writer->options_.file, writer->options_.open.vfs);
      !recovered)
    return fail(recovered.error());
  if (auto opened = writer->open_session(); !opened) return fail(opened.error());
  if (auto raised = writer->raise_epoch(); !raised) {
    // A full disk must not keep stops from working: go on with the old epoch and say so.
    log::error("store: the epoch could not be raised: {}", raised.error().message);
    writer->note_failure(raised.error());
  }
  writer->thread_ = std::thread([raw = writer.get()] { raw->loop(); });
  return writer;
}

Writer::~Writer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

Result<void> Writer::open_session() {
  storage::OpenOptions open = options_.open;
  open.synchronous = storage::Synchronous::full;
  open.checkpoint_pages = 0;
  auto database = storage::Database::open(options_.file, open);
  if (!database) return fail(database.error().within(options_.file.string()));
  if (auto done = storage::migrate(*database, coordinator_migrations()); !done)
    return fail(done.error());
  auto audit = AuditLog::load(*database, options_.audit_key);
  if (!audit) return fail(audit.error().within(options_.file.string()));
  auto newest = database->integer("SELECT max(id) FROM event");
  if (!newest) return fail(newest.error());
  newest_event_ = newest->value_or(0);
  {
    const std::lock_guard lock(mutex_);
    head_ = to_hex(audit->head());
  }
  session_.emplace(Session{std::move(*database), std::move(*audit)});
  return {};
}

Result<void> Writer::raise_epoch() {
  auto& database = session_->database;
  auto before = database.integer("SELECT value FROM epoch");
  if (!before) return fail(before.error());
  epoch_ = static_cast<std::uint64_t>(before->value_or(0));
  const auto snapshot = session_->audit.snapshot();
  const auto raise = [&]() -> Result<void> {
    auto transaction = storage::Transaction::begin(database);
    if (!transaction) return fail(transaction.error());
    if (auto set = database.run("UPDATE epoch SET value = ?", epoch_ + 1); !set)
      return fail(set.error());
    const AuditDraft draft{"coordinator", "coordinator.start", "", {{"epoch", epoch_ + 1}}};
    if (auto r = session_->audit.append(database, draft, epoch_ + 1, clock_.wall()); !r)
      return fail(r.error());
    return transaction->commit();
  };
  if (auto raised = raise(); !raised) {
    session_->audit.restore(snapshot);
    return raised;
  }
  ++epoch_;
  const std::lock_guard lock(mutex_);
  head_ = to_hex(session_->audit.head());
  return {};
}

std::string Writer::head() const {
  const std::lock_guard lock(mutex_);
  return head_;
}

void Writer::on_events(std::function<void()> listener) {
  const std::lock_guard lock(mutex_);
  listener_ = std::move(listener);
}

void Writer::post(Job job, Done done) {
  {
    const std::lock_guard lock(mutex_);
    if (queue_.size() < writer_queue_max && !stopping_) {
      queue_.push_back({std::move(job), std::move(done)});
      wake_.notify_one();
      return;
    }
  }
  if (done) done(fail(ErrorCode::unavailable, "storage: too many changes wait for the disk"));
}

std::deque<Writer::Entry> Writer::next_batch() {
  std::unique_lock lock(mutex_);
  const auto has_work = [this] { return stopping_ || !queue_.empty(); };
  // A failed disk is tried again even when nobody asks, so that recovery needs no visitor.
  if (health_ == StoreHealth::ok) {
    wake_.wait(lock, has_work);
  } else {
    wake_.wait_for(lock, options_.reopen_every, has_work);
  }
  std::deque<Entry> batch;
  while (!queue_.empty() && batch.size() < writer_batch_max) {
    batch.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  return batch;
}

void Writer::loop() {
  while (true) {
    auto batch = next_batch();
    if (batch.empty()) {
      const std::lock_guard lock(mutex_);
      if (stopping_) break;
    }
    if (!session_) reopen();
    if (batch.empty() && health_ != StoreHealth::ok && session_) {
      // The probe: a write of one row, counted nowhere.
      batch.push_back(
          {[](WriteContext& c) { return c.database.run("UPDATE epoch SET value = value"); }, {}});
    }
    if (!batch.empty()) run_batch(std::move(batch));
  }
  if (session_ && health_ == StoreHealth::ok) {
    if (auto done = session_->database.checkpoint(); !done)
      log::info("store: the last checkpoint was left to the next start: {}", done.error().message);
  }
  session_.reset();
}

void Writer::run_batch(std::deque<Entry> batch) {
  std::vector<Result<void>> outcomes;
  bool stored_events = false;
  Result<void> commit = run_jobs(batch, outcomes, stored_events);
  if (commit) {
    after_commit(stored_events);
    for (const auto& outcome : outcomes)
      if (!outcome && outcome.error().code == ErrorCode::unavailable) note_failure(outcome.error());
  } else {
    note_failure(commit.error());
  }
  outcomes.resize(batch.size());
  for (std::size_t i = 0; i < batch.size(); ++i)
    if (batch[i].done) tell(batch[i].done, commit ? outcomes[i] : commit);
}

Result<void> Writer::run_jobs(const std::deque<Entry>& batch, std::vector<Result<void>>& outcomes,
                              bool& stored_events) {
  if (!session_) return fail(ErrorCode::unavailable, "storage: the database cannot be opened now");
  auto transaction = storage::Transaction::begin(session_->database);
  if (!transaction) return fail(transaction.error());
  const auto before = session_->audit.snapshot();
  const auto undone = [&](Error why) -> Result<void> {
    session_->audit.restore(before);
    return fail(std::move(why));
  };
  for (const Entry& entry : batch) {
    JobEnd end = run_job(entry);
    // No other job of the batch may run: it would commit by itself, behind the log's back.
    if (end.lost) return undone(std::move(*end.lost));
    stored_events = stored_events || end.stored_events;
    outcomes.push_back(std::move(end.outcome));
  }
  if (auto committed = transaction->commit(); !committed) return undone(committed.error());
  return {};
}

Writer::JobEnd Writer::run_job(const Entry& entry) {
  auto& database = session_->database;
  const auto before = session_->audit.snapshot();
  if (auto begun = database.execute("SAVEPOINT job"); !begun) return {begun, {}, false};
  WriteContext context{database, session_->audit, epoch_, clock_.wall()};
  auto outcome = attempt(entry.job, context);
  if (outcome) {
    // A disk that filled up, or a job that passed over an error, may have ended the transaction.
    if (auto released = database.execute("RELEASE job"); !released)
      return {released, released.error(), false};
    return {{}, {}, context.stored_events};
  }
  session_->audit.restore(before);
  if (auto back = database.execute("ROLLBACK TO job; RELEASE job"); !back) {
    const bool disk = outcome.error().code == ErrorCode::unavailable;
    return {outcome, disk ? outcome.error() : back.error(), false};
  }
  return {std::move(outcome), {}, false};
}

void Writer::after_commit(bool stored_events) {
  if (health_.exchange(StoreHealth::ok) != StoreHealth::ok) {
    log::info("store: the disk takes writes again");
    if (options_.recovered) options_.recovered();
  }
  std::function<void()> listener;
  {
    const std::lock_guard lock(mutex_);
    head_ = to_hex(session_->audit.head());
    listener = listener_;
  }
  if (stored_events) {
    auto newest = session_->database.integer("SELECT max(id) FROM event");
    if (newest) newest_event_ = newest->value_or(0);
    if (listener) listener();
  }
  checkpoint_when_grown();
}

void Writer::note_failure(const Error& error) {
  if (is_busy(error)) return;
  const auto now = is_disk_full(error) ? StoreHealth::full : StoreHealth::failed;
  if (health_.exchange(now) != now)
    log::error("store: changes are refused until the disk recovers; stops and reads go on: {}",
               error.message);
  if (now == StoreHealth::failed && session_) {
    session_->database.abandon();
    session_.reset();
  }
}

void Writer::reopen() {
  if (options_.suspend_readers) options_.suspend_readers(true);
  auto recovered = storage::recover_log(options_.file, options_.open.vfs);
  Result<void> opened = recovered ? open_session() : recovered;
  if (options_.suspend_readers) options_.suspend_readers(false);
  if (!opened) log::error("store: still not usable: {}", opened.error().message);
}

void Writer::checkpoint_when_grown() {
  std::error_code ignored;
  const auto log_bytes = std::filesystem::file_size(options_.file.string() + "-wal", ignored);
  ++commits_since_checkpoint_;
  // A log whose size cannot be seen (another file layer) is emptied by count.
  const bool grown = ignored ? commits_since_checkpoint_ >= checkpoint_every_commits
                             : log_bytes >= checkpoint_every_pages * std::uintmax_t{4096};
  if (!grown) return;
  commits_since_checkpoint_ = 0;
  // Readers may hold it up; the next commit tries again.
  if (auto done = session_->database.checkpoint(); !done) {
    log::debug("store: checkpoint waits: {}", done.error().message);
    if (session_->database.lost_writes()) note_failure(done.error());
  }
}

}  // namespace firebreak::coordinator
