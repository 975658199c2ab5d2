#include <sqlite3.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <vector>

#include "common/storage/database.h"

namespace firebreak::storage {
namespace {

// A file opened through an SQLite VFS, so that a test's disk sees these writes too.
class VfsFile {
 public:
  VfsFile(sqlite3_vfs* vfs, const std::string& name)
      : name_(name + std::string(2, '\0')),  // SQLite's file names end in two zeros
        memory_(static_cast<std::size_t>(vfs->szOsFile)),
        file_(reinterpret_cast<sqlite3_file*>(memory_.data())) {
    // CREATE although it exists: the system's VFS then syncs the folder with the file.
    code_ = vfs->xOpen(vfs, name_.c_str(), file_,
                       SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_WAL, nullptr);
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
  std::string name_;
  std::vector<std::byte> memory_;
  sqlite3_file* file_;
  int code_ = SQLITE_OK;
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
  std::string log = database.string() + "-wal";
  int exists = 0;
  int code = vfs->xAccess(vfs, log.c_str(), SQLITE_ACCESS_EXISTS, &exists);
  if (code == SQLITE_OK && exists == 0) return {};
  if (code == SQLITE_OK) {
    VfsFile file(vfs, log);
    code = file.code() == SQLITE_OK ? rewrite(file) : file.code();
  }
  if (code == SQLITE_OK) return {};
  return fail(ErrorCode::unavailable, log + ": the disk still fails (SQLite " +
                                          std::to_string(code) + ": " + sqlite3_errstr(code) +
                                          "); this is tried again");
}

}  // namespace firebreak::storage
