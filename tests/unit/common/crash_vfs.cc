// The SQLite side of CrashDisk: a VFS whose files, locks and shared memory live in the disk object.
#include "tests/unit/common/crash_vfs.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <new>

namespace firebreak::testing {

namespace {
constexpr int shm_region_bytes = 32 * 1024;
std::atomic<int> next_number{1};
}  // namespace

// What all connections to one database share: file locks, shared memory and its locks.
struct CrashDisk::Shared {
  int readers = 0;
  const void* reserved = nullptr;
  const void* pending = nullptr;
  const void* exclusive = nullptr;
  int shm_users = 0;
  std::vector<std::unique_ptr<std::array<std::uint64_t, shm_region_bytes / 8>>> regions;
  std::array<int, SQLITE_SHM_NLOCK> shm_shared{};
  std::array<const void*, SQLITE_SHM_NLOCK> shm_exclusive{};
};

struct CrashVfs {
  using Disk = CrashDisk;

  struct Handle {
    sqlite3_file base;
    Disk* disk;
    std::string* name;
    std::shared_ptr<Disk::Shared>* shared;
    std::uint64_t generation;
    int level;
    std::uint32_t shm_shared;     // bit per slot
    std::uint32_t shm_exclusive;  // bit per slot
    bool uses_shm;
    bool delete_on_close;
    bool sync_folder;  // with the next sync of the file, as the unix VFS does for a new journal
  };

  static Handle& of(sqlite3_file* file) { return *reinterpret_cast<Handle*>(file); }
  static bool dead(const Handle& h) {
    return !h.disk->powered_ || h.generation != h.disk->generation_;
  }

  static int full_or(int error, int code) { return error == ENOSPC ? SQLITE_FULL : code; }

  // ---- file methods ----

  static int close(sqlite3_file* file) {
    Handle& h = of(file);
    const std::lock_guard lock(h.disk->mutex_);
    if (!dead(h)) {
      unlock_locked(h, SQLITE_LOCK_NONE);
      leave_shm(h, false);
      if (h.delete_on_close) (void)h.disk->remove(*h.name);
    }
    delete h.name;
    delete h.shared;
    return SQLITE_OK;
  }

  static int read(sqlite3_file* file, void* out, int n, sqlite3_int64 at) {
    Handle& h = of(file);
    const std::lock_guard lock(h.disk->mutex_);
    if (dead(h)) return SQLITE_IOERR_READ;
    std::size_t got = 0;
    const int error =
        h.disk->read(*h.name, static_cast<std::uint64_t>(at),
                     {static_cast<std::uint8_t*>(out), static_cast<std::size_t>(n)}, &got);
    if (error != 0) return SQLITE_IOERR_READ;
    return got == static_cast<std::size_t>(n) ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
  }

  static int write(sqlite3_file* file, const void* data, int n, sqlite3_int64 at) {
    Handle& h = of(file);
    const std::lock_guard lock(h.disk->mutex_);
    if (dead(h)) return SQLITE_IOERR_WRITE;
    const int error =
        h.disk->write(*h.name, static_cast<std::uint64_t>(at),
                      {static_cast<const std::uint8_t*>(data), static_cast<std::size_t>(n)});
    return error == 0 ? SQLITE_OK : full_or(error, SQLITE_IOERR_WRITE);
  }

  static int truncate(sqlite3_file* file, sqlite3_int64 size) {
    Handle& h = of(file);
    const std::lock_guard lock(h.disk->mutex_);
    if (dead(h)) return SQLITE_IOERR_TRUNCATE;
    const int error = h.disk->truncate(*h.name, static_cast<std::uint64_t>(size));
    return error == 0 ? SQLITE_OK : full_or(error, SQLITE_IOERR_TRUNCATE);
  }

  static int sync(sqlite3_file* file, int) {
    Handle& h = of(file);
    const std::lock_guard lock(h.disk->mutex_);
    if (dead(h)) return SQLITE_IOERR_FSYNC;
    if (h.disk->sync(*h.name) != 0) return SQLITE_IOERR_FSYNC;
    if (h.sync_folder) (void)h.disk->sync_folder();
    h.sync_folder = false;
    return h.disk->powered_ ? SQLITE_OK : SQLITE_IOERR_FSYNC;
  }

  static int file_size(sqlite3_file* file, sqlite3_int64* size) {
    Handle& h = of(file);
    const std::lock_guard lock(h.disk->mutex_);
    if (dead(h)) return SQLITE_IOERR_FSTAT;
    *size = static_cast<sqlite3_int64>(h.disk->files_[*h.name].visible.size());
    return SQLITE_OK;
  }

  // ---- locks of the database file (sqlite.org/lockingv3.html) ----

  static int lock(sqlite3_file* file, int level) {
    Handle& h = of(file);
    const std::lock_guard guard(h.disk->mutex_);
    if (dead(h)) return SQLITE_IOERR_LOCK;
    if (h.level >= level) return SQLITE_OK;
    Disk::Shared& s = **h.shared;
    if (h.level == SQLITE_LOCK_NONE) {
      if ((s.pending && s.pending != &h) || (s.exclusive && s.exclusive != &h)) return SQLITE_BUSY;
      ++s.readers;
      h.level = SQLITE_LOCK_SHARED;
    }
    if (level >= SQLITE_LOCK_RESERVED) {
      if (s.reserved && s.reserved != &h) return SQLITE_BUSY;
      if (level == SQLITE_LOCK_RESERVED || h.level < SQLITE_LOCK_RESERVED) s.reserved = &h;
      h.level = std::max(h.level, SQLITE_LOCK_RESERVED);
    }
    if (level == SQLITE_LOCK_EXCLUSIVE) {
      s.pending = &h;
      h.level = SQLITE_LOCK_PENDING;
      if (s.readers > 1) return SQLITE_BUSY;
      s.exclusive = &h;
      h.level = SQLITE_LOCK_EXCLUSIVE;
    }
    return SQLITE_OK;
  }

  static void unlock_locked(Handle& h, int level) {
    if (h.shared == nullptr || h.level <= level) return;
    Disk::Shared& s = **h.shared;
    if (s.reserved == &h) s.reserved = nullptr;
    if (s.pending == &h) s.pending = nullptr;
    if (s.exclusive == &h) s.exclusive = nullptr;
    if (level == SQLITE_LOCK_NONE) --s.readers;
    h.level = level;
  }

  static int unlock(sqlite3_file* file, int level) {
    Handle& h = of(file);
    const std::lock_guard guard(h.disk->mutex_);
    if (!dead(h)) unlock_locked(h, level);
    return SQLITE_OK;
  }

  static int check_reserved(sqlite3_file* file, int* out) {
    Handle& h = of(file);
    const std::lock_guard guard(h.disk->mutex_);
    *out = h.shared != nullptr && (*h.shared)->reserved != nullptr ? 1 : 0;
    return SQLITE_OK;
  }

  static int file_control(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
  static int sector_size(sqlite3_file*) { return static_cast<int>(Disk::sector_bytes); }
  static int characteristics(sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

  // ---- shared memory of the write-ahead log ----

  static int shm_map(sqlite3_file* file, int region, int bytes, int extend, void volatile** out) {
    Handle& h = of(file);
    const std::lock_guard guard(h.disk->mutex_);
    *out = nullptr;
    if (dead(h) || bytes != shm_region_bytes) return SQLITE_IOERR_SHMMAP;
    if (!h.uses_shm) ++(*h.shared)->shm_users;
    h.uses_shm = true;
    auto& regions = (*h.shared)->regions;
    if (static_cast<std::size_t>(region) >= regions.size()) {
      if (extend == 0) return SQLITE_OK;
      while (regions.size() <= static_cast<std::size_t>(region)) {
        regions.push_back(std::make_unique<std::array<std::uint64_t, shm_region_bytes / 8>>());
      }
    }
    *out = regions[static_cast<std::size_t>(region)]->data();
    return SQLITE_OK;
  }

  static int shm_lock(sqlite3_file* file, int offset, int n, int flags) {
    Handle& h = of(file);
    const std::lock_guard guard(h.disk->mutex_);
    if (dead(h)) return SQLITE_IOERR_SHMLOCK;
    Disk::Shared& s = **h.shared;
    const bool release = (flags & SQLITE_SHM_UNLOCK) != 0;
    const bool exclusive = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
    for (int i = offset; i < offset + n && !release; ++i) {
      const auto slot = static_cast<std::size_t>(i);
      if (s.shm_exclusive[slot] != nullptr && s.shm_exclusive[slot] != &h) return SQLITE_BUSY;
      const int own = (h.shm_shared >> i & 1) != 0 ? 1 : 0;
      if (exclusive && s.shm_shared[slot] > own) return SQLITE_BUSY;
    }
    for (int i = offset; i < offset + n; ++i) shm_set(h, i, release, exclusive);
    return SQLITE_OK;
  }

  static void shm_set(Handle& h, int i, bool release, bool exclusive) {
    Disk::Shared& s = **h.shared;
    const auto slot = static_cast<std::size_t>(i);
    const std::uint32_t bit = 1U << i;
    if (release) {
      if (s.shm_exclusive[slot] == &h) s.shm_exclusive[slot] = nullptr;
      if ((h.shm_shared & bit) != 0) --s.shm_shared[slot];
      h.shm_shared &= ~bit;
    } else if (exclusive) {
      s.shm_exclusive[slot] = &h;
    } else if ((h.shm_shared & bit) == 0) {
      ++s.shm_shared[slot];
      h.shm_shared |= bit;
    }
  }

  static void shm_release(Handle& h) {
    if (h.shared == nullptr) return;
    for (int i = 0; i < SQLITE_SHM_NLOCK; ++i) shm_set(h, i, true, false);
  }

  // As the unix VFS does: whoever comes when nobody uses it begins with an empty one, and so reads
  // the log itself.
  static void leave_shm(Handle& h, bool remove) {
    shm_release(h);
    if (!h.uses_shm) return;
    h.uses_shm = false;
    if (--(*h.shared)->shm_users == 0 || remove) (*h.shared)->regions.clear();
  }

  static void shm_barrier(sqlite3_file*) { std::atomic_thread_fence(std::memory_order_seq_cst); }

  static int shm_unmap(sqlite3_file* file, int remove) {
    Handle& h = of(file);
    const std::lock_guard guard(h.disk->mutex_);
    if (dead(h)) return SQLITE_OK;
    leave_shm(h, remove != 0);
    return SQLITE_OK;
  }

  // ---- the file system ----

  static Disk& disk_of(sqlite3_vfs* vfs) { return *static_cast<Disk*>(vfs->pAppData); }

  static int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out) {
    static const sqlite3_io_methods methods = {2,
                                               close,
                                               read,
                                               write,
                                               truncate,
                                               sync,
                                               file_size,
                                               lock,
                                               unlock,
                                               check_reserved,
                                               file_control,
                                               sector_size,
                                               characteristics,
                                               shm_map,
                                               shm_lock,
                                               shm_barrier,
                                               shm_unmap,
                                               nullptr,
                                               nullptr};
    Disk& disk = disk_of(vfs);
    file->pMethods = nullptr;
    const std::lock_guard guard(disk.mutex_);
    if (!disk.powered_) return SQLITE_CANTOPEN;
    const std::string path =
        name != nullptr ? name : "temp-" + std::to_string(next_number.fetch_add(1));
    if (!disk.exists(path)) {
      if ((flags & SQLITE_OPEN_CREATE) == 0) return SQLITE_CANTOPEN;
      if (const int error = disk.create(path)) return full_or(error, SQLITE_CANTOPEN);
    } else if (disk.gate(Disk::Op::open, false) != 0) {
      return SQLITE_CANTOPEN;
    }
    auto& shared = disk.shared_[path];
    if (!shared) shared = std::make_shared<Disk::Shared>();
    Handle* h = new (file) Handle{};
    h->disk = &disk;
    h->name = new std::string(path);
    h->shared = new std::shared_ptr<Disk::Shared>(shared);
    h->generation = disk.generation_;
    h->delete_on_close = (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
    h->sync_folder = (flags & SQLITE_OPEN_CREATE) != 0 &&
                     (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)) != 0;
    file->pMethods = &methods;
    if (out != nullptr) *out = flags;
    return SQLITE_OK;
  }

  static int remove(sqlite3_vfs* vfs, const char* name, int sync_folder) {
    Disk& disk = disk_of(vfs);
    const int error = disk.remove(name);
    if (error == ENOENT) return SQLITE_IOERR_DELETE_NOENT;
    if (error != 0) return SQLITE_IOERR_DELETE;
    if (sync_folder != 0 && disk.sync_folder() != 0) return SQLITE_IOERR_DIR_FSYNC;
    return SQLITE_OK;
  }

  static int access(sqlite3_vfs* vfs, const char* name, int, int* out) {
    Disk& disk = disk_of(vfs);
    if (!disk.powered()) return SQLITE_IOERR_ACCESS;
    // As the unix VFS does: an empty file is as good as none.
    *out = disk.exists(name) && disk.size(name) > 0 ? 1 : 0;
    return SQLITE_OK;
  }

  static int full_pathname(sqlite3_vfs*, const char* name, int n, char* out) {
    sqlite3_snprintf(n, out, "%s", name);
    return SQLITE_OK;
  }
  static int randomness(sqlite3_vfs* vfs, int n, char* out) {
    Disk& disk = disk_of(vfs);
    const std::lock_guard guard(disk.mutex_);
    for (int i = 0; i < n; ++i) out[i] = static_cast<char>(disk.random_());
    return n;
  }
  static int sleep(sqlite3_vfs*, int microseconds) { return microseconds; }
  static int current_time(sqlite3_vfs*, double* out) {
    *out = 2460000.5;
    return SQLITE_OK;
  }
  static int last_error(sqlite3_vfs*, int, char*) { return 0; }
};

void CrashDisk::register_vfs() {
  vfs_ = std::make_unique<Vfs>();
  vfs_name_ = "crash-" + std::to_string(next_number.fetch_add(1));
  sqlite3_vfs& vfs = vfs_->vfs;
  vfs.iVersion = 1;
  vfs.szOsFile = sizeof(CrashVfs::Handle);
  vfs.mxPathname = 512;
  vfs.zName = vfs_name_.c_str();
  vfs.pAppData = this;
  vfs.xOpen = CrashVfs::open;
  vfs.xDelete = CrashVfs::remove;
  vfs.xAccess = CrashVfs::access;
  vfs.xFullPathname = CrashVfs::full_pathname;
  vfs.xRandomness = CrashVfs::randomness;
  vfs.xSleep = CrashVfs::sleep;
  vfs.xCurrentTime = CrashVfs::current_time;
  vfs.xGetLastError = CrashVfs::last_error;
  sqlite3_vfs_register(&vfs, 0);
}

void CrashDisk::unregister_vfs() { sqlite3_vfs_unregister(&vfs_->vfs); }
void CrashDisk::forget_locks() { shared_.clear(); }

}  // namespace firebreak::testing
