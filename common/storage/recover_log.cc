#include <sqlite3.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <vector>

#include "common/storage/database.h"

namespace firebreak::storage {
namespace {

// The names of a database's files as a VFS wants them: it looks for parameters in front of and
// behind the text of a name (sqlite.org/c3ref/create_filename.html).
class FileNames {
 public:
  explicit FileNames(const std::string& database)
      : database_(sqlite3_create_filename(database.c_str(), (database + "-journal").c_str(),
                                          (database + "-wal").c_str(), 0, nullptr)) {}
  FileNames(const FileNames&) = delete;
  FileNames& operator=(const FileNames&) = delete;
  ~FileNames() { sqlite3_free_filename(database_); }
  [[nodiscard]] bool made() const { return database_ != nullptr; }
  [[nodiscard]] const char* database() const { return database_; }
  [[nodiscard]] const char* log() const { return sqlite3_filename_wal(database_); }

 private:
  sqlite3_filename database_;
};

// A file opened through an SQLite VFS, so that a test's disk sees these writes too.
class VfsFile {
 public:
  // `name` is one of a FileNames, which outlives the file.
  VfsFile(sqlite3_vfs* vfs, const char* name, int flags)
      : memory_(static_cast<std::size_t>(vfs->szOsFile)),
        file_(reinterpret_cast<sqlite3_file*>(memory_.data())) {
    code_ = vfs->xOpen(vfs, name, file_, SQLITE_OPEN_READWRITE | flags, nullptr);
  }
  VfsFile(const VfsFile&) = delete;
  VfsFile& operator=(const VfsFile&) = delete;
  ~VfsFile() {
    if (file_->pMethods != nullptr) file_->pMethods->xClose(file_);
  }
  [[nodiscard]] int code() const { return code_; }
  sqlite3_file* operator->() { return file_; }
  sqlite3_file* get() { return file_; }

 private:
  std::vector<std::byte> memory_;
  sqlite3_file* file_;
  int code_ = SQLITE_OK;
};

// Keeps writers and checkpoints of other connections out: slots 0 and 1 of the log's shared memory
// are SQLite's write and checkpoint locks (sqlite.org/walformat.html, "WAL locks").
class LogLock {
 public:
  explicit LogLock(VfsFile& file) : file_(file), code_(file.code()) {
    constexpr int region_bytes = 32 * 1024;
    void volatile* region = nullptr;
    if (code_ != SQLITE_OK) return;
    code_ = file_->pMethods->xShmMap(file_.get(), 0, region_bytes, 1, &region);
    mapped_ = code_ == SQLITE_OK;
    if (mapped_) code_ = lock(SQLITE_SHM_LOCK);
  }
  LogLock(const LogLock&) = delete;
  LogLock& operator=(const LogLock&) = delete;
  ~LogLock() {
    if (code_ == SQLITE_OK) lock(SQLITE_SHM_UNLOCK);
    if (mapped_) file_->pMethods->xShmUnmap(file_.get(), 0);
  }
  [[nodiscard]] int code() const { return code_; }

 private:
  int lock(int action) {
    return file_->pMethods->xShmLock(file_.get(), 0, 2, action | SQLITE_SHM_EXCLUSIVE);
  }
  VfsFile& file_;
  int code_;
  bool mapped_ = false;
};

int rewrite(VfsFile& file) {
  constexpr sqlite3_int64 chunk_bytes = 64 * 1024;
  sqlite3_int64 size = 0;
  int code = file->pMethods->xFileSize(file.get(), &size);
  std::vector<char> chunk(chunk_bytes);
  for (sqlite3_int64 at = 0; code == SQLITE_OK && at < size; at += chunk_bytes) {
    const int n = static_cast<int>(std::min(chunk_bytes, size - at));
    code = file->pMethods->xRead(file.get(), chunk.data(), n, at);
    if (code == SQLITE_OK) code = file->pMethods->xWrite(file.get(), chunk.data(), n, at);
  }
  if (code == SQLITE_OK) code = file->pMethods->xSync(file.get(), SQLITE_SYNC_FULL);
  return code;
}

}  // namespace

Result<void> recover_log(const std::filesystem::path& database, const std::string& vfs_name) {
  sqlite3_vfs* vfs = sqlite3_vfs_find(vfs_name.empty() ? nullptr : vfs_name.c_str());
  if (vfs == nullptr) return fail(ErrorCode::internal, "no SQLite VFS is called " + vfs_name);
  const FileNames names(database.string());
  if (!names.made()) return fail(ErrorCode::unavailable, "no memory for the names of files");
  const std::string log = names.log();
  int has_database = 0;
  int has_log = 0;
  int code = vfs->xAccess(vfs, database.c_str(), SQLITE_ACCESS_EXISTS, &has_database);
  if (code == SQLITE_OK) code = vfs->xAccess(vfs, log.c_str(), SQLITE_ACCESS_EXISTS, &has_log);
  // A log without its database is thrown away by SQLite.
  if (code == SQLITE_OK && (has_database == 0 || has_log == 0)) return {};
  if (code == SQLITE_OK) {
    VfsFile owner(vfs, names.database(), SQLITE_OPEN_MAIN_DB);
    LogLock lock(owner);
    code = lock.code();
    if (code == SQLITE_OK) {
      // CREATE although it exists: the system's VFS then syncs the folder with the file.
      VfsFile file(vfs, names.log(), SQLITE_OPEN_CREATE | SQLITE_OPEN_WAL);
      code = file.code() == SQLITE_OK ? rewrite(file) : file.code();
    }
  }
  if (code == SQLITE_BUSY) {
    return fail(ErrorCode::unavailable, log + ": another connection is writing; try again");
  }
  if (code == SQLITE_OK) return {};
  return fail(ErrorCode::unavailable, log + ": the disk still fails (SQLite " +
                                          std::to_string(code) + ": " + sqlite3_errstr(code) +
                                          "); this is tried again");
}

}  // namespace firebreak::storage
