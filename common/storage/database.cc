#include "common/storage/database.h"

#include <sqlite3.h>

#include <string>

#include "common/storage/sqlite_error.h"

namespace firebreak::storage {

// ---- Statement ----

void Statement::Finalize::operator()(sqlite3_stmt* s) const noexcept { sqlite3_finalize(s); }

void Statement::reset() noexcept { sqlite3_reset(handle_.get()); }

void Statement::bind_integer(int index, std::int64_t value) noexcept {
  bind_error_ |= sqlite3_bind_int64(handle_.get(), index, value);
}
void Statement::bind_real(int index, double value) noexcept {
  bind_error_ |= sqlite3_bind_double(handle_.get(), index, value);
}
void Statement::bind_text(int index, std::string_view value) noexcept {
  bind_error_ |= sqlite3_bind_text64(handle_.get(), index, value.data() ? value.data() : "",
                                     value.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
}
void Statement::bind_blob(int index, std::span<const std::uint8_t> value) noexcept {
  bind_error_ |= value.empty() ? sqlite3_bind_zeroblob(handle_.get(), index, 0)
                               : sqlite3_bind_blob64(handle_.get(), index, value.data(),
                                                     value.size(), SQLITE_TRANSIENT);
}
void Statement::bind_null(int index) noexcept {
  bind_error_ |= sqlite3_bind_null(handle_.get(), index);
}

Result<bool> Statement::step() {
  if (bind_error_ != 0) {
    bind_error_ = 0;
    return fail(ErrorCode::internal,
                std::string("a statement got the wrong parameters: ") + sqlite3_sql(handle_.get()));
  }
  const int code = sqlite3_step(handle_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  Error error = sqlite_error(db_, code);
  *lost_writes_ |= is_lost_write(sqlite3_extended_errcode(db_));
  sqlite3_reset(handle_.get());
  return fail(std::move(error));
}

Result<void> Statement::run() {
  for (;;) {
    auto row = step();
    if (!row) return fail(std::move(row.error()));
    if (!*row) break;
  }
  reset();
  return {};
}

std::int64_t Statement::integer(int column) const noexcept {
  return sqlite3_column_int64(handle_.get(), column);
}
double Statement::real(int column) const noexcept {
  return sqlite3_column_double(handle_.get(), column);
}
std::string_view Statement::text(int column) const noexcept {
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(handle_.get(), column));
  if (data == nullptr) return {};
  return {data, static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column))};
}
std::span<const std::uint8_t> Statement::blob(int column) const noexcept {
  const auto* data = static_cast<const std::uint8_t*>(sqlite3_column_blob(handle_.get(), column));
  if (data == nullptr) return {};
  return {data, static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column))};
}
bool Statement::is_null(int column) const noexcept {
  return sqlite3_column_type(handle_.get(), column) == SQLITE_NULL;
}

// ---- Database ----

void Database::Close::operator()(sqlite3* db) const noexcept { sqlite3_close_v2(db); }

Result<Database> Database::open(const std::filesystem::path& path, const OpenOptions& options) {
  int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  flags |= options.read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
  if (options.create && !options.read_only) flags |= SQLITE_OPEN_CREATE;
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags,
                                   options.vfs.empty() ? nullptr : options.vfs.c_str());
  Database database(path, handle);
  const auto within = [&](Error error) { return fail(error.within(path.string())); };
  if (handle == nullptr) {
    return fail(ErrorCode::unavailable, path.string() + ": no memory for a database connection");
  }
  if (code != SQLITE_OK) return within(sqlite_error(handle, code));
  sqlite3_busy_timeout(handle, static_cast<int>(options.busy_timeout.count()));
  // A table's file that was made to hurt us must not run its triggers and views with our rights.
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  std::string setup = "PRAGMA cache_size=-" + std::to_string(options.cache_kib) +
                      ";PRAGMA mmap_size=0;PRAGMA foreign_keys=ON;PRAGMA temp_store=MEMORY;"
                      "PRAGMA cell_size_check=ON;";
  setup += options.synchronous == Synchronous::full ? "PRAGMA synchronous=FULL;"
                                                    : "PRAGMA synchronous=NORMAL;";
  setup += "PRAGMA wal_autocheckpoint=" + std::to_string(options.checkpoint_pages) + ";";
  if (auto done = database.execute(setup); !done) return within(done.error());
  if (!options.read_only) {
    if (auto done = database.execute("PRAGMA journal_mode=WAL"); !done) return within(done.error());
  }
  // Opening is lazy: only a read tells whether this is a database at all.
  auto pages = database.integer("PRAGMA page_size");
  auto tables = database.integer("SELECT count(*) FROM sqlite_schema");
  if (!tables) return within(tables.error());
  if (options.bytes_max > 0 && pages && *pages) {
    const auto limit =
        database.execute("PRAGMA max_page_count=" + std::to_string(options.bytes_max / **pages));
    if (!limit) return within(limit.error());
  }
  return database;
}

Error Database::failed(int code) const {
  *lost_writes_ |= is_lost_write(code) || is_lost_write(sqlite3_extended_errcode(handle_.get()));
  return sqlite_error(handle_.get(), code);
}

Result<void> Database::execute(std::string_view sql) {
  if (handle_ == nullptr) return fail(ErrorCode::internal, "the database is closed");
  const std::string text(sql);
  const int code = sqlite3_exec(handle_.get(), text.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return fail(failed(code));
  return {};
}

Result<Statement> Database::prepare(std::string_view sql) {
  if (handle_ == nullptr) return fail(ErrorCode::internal, "the database is closed");
  sqlite3_stmt* statement = nullptr;
  const char* tail = nullptr;
  const int code = sqlite3_prepare_v3(handle_.get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, &tail);
  if (code != SQLITE_OK) return fail(failed(code));
  Statement result(handle_.get(), lost_writes_.get(), statement);
  if (statement == nullptr || tail != sql.data() + sql.size()) {
    return fail(ErrorCode::internal, "not exactly one statement: " + std::string(sql));
  }
  return result;
}

std::int64_t Database::changes() const noexcept { return sqlite3_changes64(handle_.get()); }
std::int64_t Database::last_insert_id() const noexcept {
  return sqlite3_last_insert_rowid(handle_.get());
}

bool Database::lost_writes() const noexcept { return *lost_writes_; }

Result<void> Database::quick_check() {
  auto statement = prepare("PRAGMA quick_check(1)");
  if (!statement) return fail(std::move(statement.error()));
  auto row = statement->step();
  if (!row) return fail(std::move(row.error()));
  if (!*row || statement->text(0) != "ok") {
    return fail(ErrorCode::corrupt, path_.string() + " is damaged: " +
                                        std::string(*row ? statement->text(0) : "no answer"));
  }
  return {};
}

Result<void> Database::checkpoint() {
  const int code = sqlite3_wal_checkpoint_v2(handle_.get(), nullptr, SQLITE_CHECKPOINT_TRUNCATE,
                                             nullptr, nullptr);
  if (code != SQLITE_OK) return fail(failed(code));
  return {};
}

void Database::abandon() noexcept {
  if (handle_ == nullptr) return;
  sqlite3_db_config(handle_.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  handle_.reset();
}

// ---- Transaction ----

Result<Transaction> Transaction::begin(Database& database) {
  if (auto begun = database.execute("BEGIN IMMEDIATE"); !begun) {
    return fail(std::move(begun.error()));
  }
  return Transaction(database);
}

Transaction::~Transaction() {
  if (database_ == nullptr || sqlite3_get_autocommit(database_->handle()) != 0) return;
  sqlite3_exec(database_->handle(), "ROLLBACK", nullptr, nullptr, nullptr);
}

Result<void> Transaction::commit() {
  Database* database = std::exchange(database_, nullptr);
  if (database == nullptr) return fail(ErrorCode::internal, "a transaction was committed twice");
  const int code = sqlite3_exec(database->handle(), "COMMIT", nullptr, nullptr, nullptr);
  if (code == SQLITE_OK) return {};
  Error error = database->failed(code);
  if (sqlite3_get_autocommit(database->handle()) == 0) {
    sqlite3_exec(database->handle(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
  return fail(std::move(error));
}

void limit_heap(std::int64_t soft_bytes, std::int64_t hard_bytes) noexcept {
  sqlite3_soft_heap_limit64(soft_bytes);
  sqlite3_hard_heap_limit64(hard_bytes);
}

}  // namespace firebreak::storage
