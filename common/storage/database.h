#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "common/base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace firebreak::storage {

/// What a commit waits for. `full`: it is on the disk when commit() returns; `normal`: it may be
/// lost by a power cut, the file stays whole.
enum class Synchronous { normal, full };

struct OpenOptions {
  Synchronous synchronous = Synchronous::full;
  bool read_only = false;
  bool create = true;  ///< false: a missing file is not_found.
  /// Page cache of this connection. The guard stays at or below 256.
  int cache_kib = 2048;
  /// How long a statement waits for another connection's lock before it is `unavailable`.
  std::chrono::milliseconds busy_timeout{5000};
  /// Pages in the write-ahead log before a commit checkpoints it; 0 = the caller checkpoints.
  int checkpoint_pages = 1000;
  /// Limit of the file's size; a commit beyond it fails as a full disk does. 0 = none.
  std::int64_t bytes_max = 0;
  /// Name of a registered sqlite3_vfs, for tests that cut the power; empty = the system's.
  std::string vfs;
};

class Database;

/// One prepared statement. Not thread-safe; must not outlive its Database.
/// Every fallible call says why: unavailable (disk full, I/O, busy), corrupt (the file is damaged),
/// refused (a constraint, such as a doubled key), internal (our SQL is wrong).
class Statement {
 public:
  Statement(Statement&&) noexcept = default;
  Statement& operator=(Statement&&) noexcept = default;

  /// Binds parameters 1, 2, … to values: integers, bool, double, text, std::nullptr_t,
  /// std::optional of those, std::span<const std::uint8_t> (a blob). Copies text and blobs.
  /// Resets the statement first. Mistakes show at the next step().
  template <class... Values>
  Statement& bind(const Values&... values) {
    reset();
    int index = 0;
    (bind_value(++index, values), ...);
    return *this;
  }

  /// Goes to the next row: true when there is one, false at the end.
  [[nodiscard]] Result<bool> step();
  /// Runs to the end and resets; for statements that give no rows.
  [[nodiscard]] Result<void> run();
  /// Back to before the first row; bindings are kept. Ends the read lock.
  void reset() noexcept;

  [[nodiscard]] std::int64_t integer(int column) const noexcept;
  [[nodiscard]] double real(int column) const noexcept;
  /// Valid until the next step(), reset() or bind().
  [[nodiscard]] std::string_view text(int column) const noexcept;
  [[nodiscard]] std::span<const std::uint8_t> blob(int column) const noexcept;
  [[nodiscard]] bool is_null(int column) const noexcept;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* s) const noexcept;
  };
  Statement(sqlite3* db, bool* lost_writes, sqlite3_stmt* handle)
      : db_(db), lost_writes_(lost_writes), handle_(handle) {}

  void bind_integer(int index, std::int64_t value) noexcept;
  void bind_real(int index, double value) noexcept;
  void bind_text(int index, std::string_view value) noexcept;
  void bind_blob(int index, std::span<const std::uint8_t> value) noexcept;
  void bind_null(int index) noexcept;

  template <class V>
  void bind_value(int index, const V& value) {
    if constexpr (std::is_same_v<V, std::nullptr_t>) {  // NOLINT(bugprone-branch-clone)
      bind_null(index);
    } else if constexpr (std::is_integral_v<V> || std::is_enum_v<V>) {
      bind_integer(index, static_cast<std::int64_t>(value));
    } else if constexpr (std::is_floating_point_v<V>) {
      bind_real(index, value);
    } else if constexpr (std::is_convertible_v<const V&, std::string_view>) {
      bind_text(index, value);
    } else if constexpr (std::is_convertible_v<const V&, std::span<const std::uint8_t>>) {
      bind_blob(index, value);
    } else if (value.has_value()) {  // std::optional
      bind_value(index, *value);
    } else {
      bind_null(index);
    }
  }

  sqlite3* db_;
  bool* lost_writes_;
  std::unique_ptr<sqlite3_stmt, Finalize> handle_;
  int bind_error_ = 0;
};

/// One connection to an SQLite database in WAL mode with foreign keys on. One thread at a time.
class Database {
 public:
  /// Opens (and creates) the file. Errors: not_found, unavailable, corrupt (not a database).
  [[nodiscard]] static Result<Database> open(const std::filesystem::path& path,
                                             const OpenOptions& options = {});

  Database(Database&&) noexcept = default;
  Database& operator=(Database&&) noexcept = default;

  /// Runs one or several statements without parameters or rows.
  [[nodiscard]] Result<void> execute(std::string_view sql);

  /// Prepares exactly one statement.
  [[nodiscard]] Result<Statement> prepare(std::string_view sql);

  /// Prepares, binds and runs one statement that gives no rows.
  template <class... Values>
  [[nodiscard]] Result<void> run(std::string_view sql, const Values&... values) {
    auto statement = prepare(sql);
    if (!statement) return fail(std::move(statement.error()));
    return statement->bind(values...).run();
  }

  /// First column of the first row as an integer; nothing when there is no row or it is NULL.
  template <class... Values>
  [[nodiscard]] Result<std::optional<std::int64_t>> integer(std::string_view sql,
                                                            const Values&... values) {
    auto statement = prepare(sql);
    if (!statement) return fail(std::move(statement.error()));
    auto row = statement->bind(values...).step();
    if (!row) return fail(std::move(row.error()));
    if (!*row || statement->is_null(0)) return std::optional<std::int64_t>{};
    return std::optional<std::int64_t>{statement->integer(0)};
  }

  /// Rows that the last INSERT, UPDATE or DELETE changed; rowid of the last INSERT.
  [[nodiscard]] std::int64_t changes() const noexcept;
  [[nodiscard]] std::int64_t last_insert_id() const noexcept;

  /// True once the disk refused a write, a sync or a read of this connection (not: disk full,
  /// busy). The connection is then of no use: abandon() it, recover_log(), reopen.
  [[nodiscard]] bool lost_writes() const noexcept;

  /// PRAGMA quick_check: ok, or corrupt with SQLite's first finding. Reads the whole file.
  [[nodiscard]] Result<void> quick_check();

  /// Moves the write-ahead log into the file and empties it. unavailable while readers hold it.
  [[nodiscard]] Result<void> checkpoint();

  /// Closes without a checkpoint, so that a log whose sync failed is not trusted.
  void abandon() noexcept;

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  /// For backup code and tests only.
  [[nodiscard]] sqlite3* handle() const noexcept { return handle_.get(); }

 private:
  struct Close {
    void operator()(sqlite3* db) const noexcept;
  };
  friend class Transaction;
  Database(std::filesystem::path path, sqlite3* handle)
      : path_(std::move(path)), lost_writes_(std::make_unique<bool>(false)), handle_(handle) {}
  Error failed(int code) const;

  std::filesystem::path path_;
  std::unique_ptr<bool> lost_writes_;  // on the heap: statements point to it
  std::unique_ptr<sqlite3, Close> handle_;
};

/// BEGIN IMMEDIATE … COMMIT; what was not committed is rolled back at the end of its life.
class Transaction {
 public:
  [[nodiscard]] static Result<Transaction> begin(Database& database);
  Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();

  /// After success (with Synchronous::full) the changes are on the disk. After a failure they are
  /// rolled back; if lost_writes() they may still turn up after recover_log() and reopening.
  [[nodiscard]] Result<void> commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;
};

/// One step of a schema. `version` counts from 1 without gaps; a released step is never edited.
struct Migration {
  int version;
  std::string_view sql;
};

/// Brings the file from its PRAGMA user_version to the last of `migrations`, each in its own
/// transaction. refused: the file is of a newer program than this one. Returns the version.
[[nodiscard]] Result<int> migrate(Database& database, std::span<const Migration> migrations);

/// After lost_writes(), with every connection abandoned: reads the write-ahead log as the kernel
/// shows it, writes the same bytes again and syncs them, so that what the next open finds there is
/// on the disk (a page whose sync failed once counts as clean and would never be written again).
/// unavailable: the disk still refuses, or another connection is in the middle of a change; try
/// again later. No log is success.
[[nodiscard]] Result<void> recover_log(const std::filesystem::path& database,
                                       const std::string& vfs = {});

/// Bounds the memory of all SQLite connections of this process: `soft` drops cached pages, `hard`
/// makes statements fail as `unavailable`.
void limit_heap(std::int64_t soft_bytes, std::int64_t hard_bytes) noexcept;

}  // namespace firebreak::storage
