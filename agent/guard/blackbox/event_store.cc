#include "agent/guard/blackbox/event_store.h"

#include <sodium/randombytes.h>

#include <algorithm>
#include <array>

#include "common/base/hex.h"
#include "common/chain/event_chain.h"

namespace firebreak::guard {
namespace {

// The log's row also anchors the chain where old events were dropped: before_seq and before_hash
// are those of the event before the oldest one that is kept.
constexpr std::array<storage::Migration, 1> migrations{{{1, R"(
CREATE TABLE log (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  id TEXT NOT NULL,
  durable_seq INTEGER NOT NULL,
  before_seq INTEGER NOT NULL,
  before_hash BLOB NOT NULL
) STRICT;
CREATE TABLE event (
  seq INTEGER PRIMARY KEY,
  hash BLOB NOT NULL,
  body BLOB NOT NULL
) STRICT;
)"}}};

// 256 pages of 4 KiB: the log that an open writes again after a failed sync stays at 1 MiB.
constexpr int checkpoint_pages = 256;
constexpr int writer_cache_kib = 128;
constexpr int reader_cache_kib = 64;

bool to_digest(std::span<const std::uint8_t> blob, chain::Digest& out) {
  if (blob.size() != out.size()) return false;
  std::copy(blob.begin(), blob.end(), out.begin());
  return true;
}

}  // namespace

Error EventStore::damaged(const std::string& what) const {
  return {ErrorCode::corrupt, database_.path().string() + " is damaged: " + what};
}

Result<EventStore> EventStore::open(const std::filesystem::path& path, const std::string& vfs) {
  // Always: a process before this one may have died after a sync failed.
  if (auto done = storage::recover_log(path, vfs); !done) return fail(std::move(done.error()));
  storage::OpenOptions options;
  options.cache_kib = writer_cache_kib;
  options.checkpoint_pages = checkpoint_pages;
  options.vfs = vfs;
  auto database = storage::Database::open(path, options);
  if (!database) return fail(std::move(database.error()));
  EventStore store(std::move(*database));
  if (auto done = store.database_.quick_check(); !done) return fail(std::move(done.error()));
  if (auto done = storage::migrate(store.database_, migrations); !done) {
    return fail(std::move(done.error()));
  }
  if (auto done = store.create_log(); !done) return fail(std::move(done.error()));
  if (auto done = store.load(); !done) return fail(std::move(done.error()));
  if (auto done = store.verify_tail(); !done) return fail(std::move(done.error()));
  return store;
}

Result<void> EventStore::create_log() {
  auto rows = database_.integer("SELECT count(*) FROM log");
  if (!rows) return fail(std::move(rows.error()));
  if (rows->value_or(0) == 1) return {};
  auto events = database_.integer("SELECT count(*) FROM event");
  if (!events) return fail(std::move(events.error()));
  if (rows->value_or(0) != 0 || events->value_or(0) != 0) {
    return fail(damaged("its events have no log"));
  }
  std::array<std::uint8_t, 8> id{};
  randombytes_buf(id.data(), id.size());
  return database_.run("INSERT INTO log VALUES (1, ?, 0, 0, ?)", to_hex(id), chain::chain_start);
}

Result<void> EventStore::load() {
  auto log = database_.prepare("SELECT id, durable_seq, before_seq, before_hash FROM log");
  if (!log) return fail(std::move(log.error()));
  auto row = log->step();
  if (!row) return fail(std::move(row.error()));
  if (!*row || log->text(0).size() != 16) return fail(damaged("its log has no name"));
  log_ = std::string(log->text(0));
  durable_seq_ = log->integer(1);
  const std::int64_t before = log->integer(2);
  head_.seq = before;
  if (!to_digest(log->blob(3), head_.hash)) return fail(damaged("its chain has no beginning"));
  first_seq_ = before + 1;

  auto range = database_.prepare("SELECT min(seq), max(seq), count(*) FROM event");
  if (!range) return fail(std::move(range.error()));
  row = range->step();
  if (!row) return fail(std::move(row.error()));
  const std::int64_t count = range->integer(2);
  if (count == 0) return {};
  if (range->integer(0) != first_seq_ || range->integer(1) != before + count) {
    return fail(damaged("events are missing between " + std::to_string(first_seq_) + " and " +
                        std::to_string(range->integer(1))));
  }
  head_.seq = range->integer(1);
  return {};
}

Result<void> EventStore::verify_tail() {
  if (head_.seq < first_seq_) return {};
  const std::int64_t from = std::max(first_seq_ - 1, head_.seq - verified_at_open);
  if (from >= first_seq_) {
    auto hash = database_.prepare("SELECT hash FROM event WHERE seq = ?");
    if (!hash) return fail(std::move(hash.error()));
    auto row = hash->bind(from).step();
    if (!row) return fail(std::move(row.error()));
    if (!*row || !to_digest(hash->blob(0), head_.hash)) return fail(damaged("a hash is missing"));
  }
  auto rows = database_.prepare("SELECT seq, hash, body FROM event WHERE seq > ? ORDER BY seq");
  if (!rows) return fail(std::move(rows.error()));
  rows->bind(from);
  for (;;) {
    auto row = rows->step();
    if (!row) return fail(std::move(row.error()));
    if (!*row) return {};
    chain::Digest stored{};
    head_.hash = chain::next_hash(head_.hash, rows->blob(2));
    if (!to_digest(rows->blob(1), stored) || stored != head_.hash) {
      return fail(damaged("event " + std::to_string(rows->integer(0)) + " does not verify"));
    }
  }
}

Result<void> EventStore::append(std::span<const Entry> entries, std::int64_t durable_seq) {
  auto transaction = storage::Transaction::begin(database_);
  if (!transaction) return fail(std::move(transaction.error()));
  auto insert = database_.prepare("INSERT INTO event VALUES (?, ?, ?)");
  if (!insert) return fail(std::move(insert.error()));
  std::int64_t seq = head_.seq;
  for (const Entry& entry : entries) {
    if (auto done = insert->bind(++seq, entry.hash, entry.body).run(); !done) {
      return fail(std::move(done.error()));
    }
  }
  if (durable_seq > durable_seq_) {
    auto done = database_.run("UPDATE log SET durable_seq = ?", durable_seq);
    if (!done) return fail(std::move(done.error()));
  }
  if (auto done = transaction->commit(); !done) return fail(std::move(done.error()));
  if (!entries.empty()) head_ = {seq, entries.back().hash};
  durable_seq_ = std::max(durable_seq_, durable_seq);
  return {};
}

Result<void> EventStore::set_durable(std::int64_t durable_seq) { return append({}, durable_seq); }

Result<std::int64_t> EventStore::prune(std::int64_t seq, std::int64_t limit) {
  const std::int64_t last = std::min({seq, head_.seq - 1, first_seq_ + limit - 1});
  if (last < first_seq_) return 0;
  auto transaction = storage::Transaction::begin(database_);
  if (!transaction) return fail(std::move(transaction.error()));
  auto done = database_.run(
      "UPDATE log SET before_seq = ?1, before_hash = (SELECT hash FROM event WHERE seq = ?1)",
      last);
  if (!done) return fail(std::move(done.error()));
  done = database_.run("DELETE FROM event WHERE seq <= ?", last);
  if (!done) return fail(std::move(done.error()));
  if (done = transaction->commit(); !done) return fail(std::move(done.error()));
  const std::int64_t went = last - first_seq_ + 1;
  first_seq_ = last + 1;
  return went;
}

Result<EventReader> EventReader::open(const std::filesystem::path& path, const std::string& vfs) {
  storage::OpenOptions options;
  options.read_only = true;
  options.cache_kib = reader_cache_kib;
  options.vfs = vfs;
  auto database = storage::Database::open(path, options);
  if (!database) return fail(std::move(database.error()));
  return EventReader(std::move(*database));
}

Result<std::vector<EventReader::Row>> EventReader::after(std::int64_t after, std::size_t limit,
                                                         std::size_t bytes_max) {
  auto before = database_.prepare(
      "SELECT hash FROM event WHERE seq = ?1 UNION ALL "
      "SELECT before_hash FROM log WHERE before_seq = ?1");
  if (!before) return fail(std::move(before.error()));
  auto rows =
      database_.prepare("SELECT seq, hash, body FROM event WHERE seq > ? ORDER BY seq LIMIT ?");
  if (!rows) return fail(std::move(rows.error()));
  std::vector<Row> page;
  std::size_t bytes = 0;
  rows->bind(after, static_cast<std::int64_t>(limit));
  chain::Digest head{};
  for (;;) {
    auto more = rows->step();
    if (!more) return fail(std::move(more.error()));
    if (!*more) return page;
    Row row;
    row.seq = rows->integer(0);
    row.body.assign(rows->blob(2).begin(), rows->blob(2).end());
    if (page.empty()) {
      auto found = before->bind(row.seq - 1).step();
      if (!found) return fail(std::move(found.error()));
      // Event 1 follows the chain's beginning, which the log's row holds until something is
      // dropped.
      if (!*found || !to_digest(before->blob(0), head)) {
        return fail(ErrorCode::corrupt, "event " + std::to_string(row.seq) + " follows nothing");
      }
    }
    head = chain::next_hash(head, row.body);
    if (!to_digest(rows->blob(1), row.hash) || row.hash != head) {
      return fail(ErrorCode::corrupt, "event " + std::to_string(row.seq) + " does not verify");
    }
    // JSON text is about twice the canonical bytes and the hash.
    bytes += 2 * row.body.size() + 100;
    if (!page.empty() && bytes > bytes_max) return page;
    page.push_back(std::move(row));
  }
}

}  // namespace firebreak::guard
