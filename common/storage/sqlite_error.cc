#include "common/storage/sqlite_error.h"

#include <sqlite3.h>

namespace firebreak::storage {
namespace {

struct Meaning {
  ErrorCode code;
  const char* what;
};

Meaning meaning_of(int code) {
  switch (code & 0xFF) {
    case SQLITE_FULL:
      return {ErrorCode::unavailable, "the disk (or the file's limit) is full; free some space"};
    case SQLITE_IOERR:
      return {ErrorCode::unavailable, "the disk failed to read or write; see the kernel's log"};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {ErrorCode::unavailable, "another connection holds the database; try again"};
    case SQLITE_CANTOPEN:
      return {ErrorCode::unavailable, "the file cannot be opened; look at its folder and rights"};
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return {ErrorCode::unavailable, "the file may not be written; look at its rights and mount"};
    case SQLITE_NOMEM: return {ErrorCode::unavailable, "no memory for the database"};
    case SQLITE_PROTOCOL:
    case SQLITE_INTERRUPT: return {ErrorCode::unavailable, "the database was disturbed; try again"};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return {ErrorCode::corrupt, "the database file is damaged"};
    case SQLITE_CONSTRAINT: return {ErrorCode::refused, "the change breaks a rule of the database"};
    case SQLITE_TOOBIG: return {ErrorCode::bad_input, "the value is too large for the database"};
    default: return {ErrorCode::internal, "the database refused a statement of ours"};
  }
}

}  // namespace

Error sqlite_error(sqlite3* db, int code) {
  const int extended =
      (code & 0xFF) == code && db != nullptr && (sqlite3_extended_errcode(db) & 0xFF) == code
          ? sqlite3_extended_errcode(db)
          : code;
  const Meaning meaning = meaning_of(extended);
  std::string text = meaning.what;
  text += " (SQLite ";
  text += std::to_string(extended);
  text += ": ";
  text += db != nullptr ? sqlite3_errmsg(db) : sqlite3_errstr(code);
  text += ')';
  return {meaning.code, std::move(text)};
}

bool is_lost_write(int code) noexcept {
  switch (code) {
    case SQLITE_IOERR:
    case SQLITE_IOERR_WRITE:
    case SQLITE_IOERR_FSYNC:
    case SQLITE_IOERR_DIR_FSYNC:
    case SQLITE_IOERR_TRUNCATE:
    case SQLITE_IOERR_CLOSE:
    case SQLITE_IOERR_SHORT_READ:
    case SQLITE_IOERR_READ: return true;
    default: return false;
  }
}

}  // namespace firebreak::storage
