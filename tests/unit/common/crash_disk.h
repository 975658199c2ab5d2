#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace firebreak::testing {

/// A disk in memory whose power can be cut. What was written and not synced is, after a cut, kept,
/// dropped or torn sector by sector, each on its own (so also out of order), from a seed. It can
/// refuse the n-th operation once or for ever; a sync that fails forgets the writes that it should
/// have made durable, as Linux does (they stay readable and are never written).
/// Every change (write, sync, truncate, create, remove, rename) is a boundary, counted from 1.
/// Thread-safe. vfs() makes it the disk of SQLite; the file functions serve code that writes its
/// own files. All functions give 0 or an errno (EIO once the power is off).
class CrashDisk {
 public:
  static constexpr std::size_t sector_bytes = 512;

  explicit CrashDisk(std::uint64_t seed);
  ~CrashDisk();
  CrashDisk(const CrashDisk&) = delete;
  CrashDisk& operator=(const CrashDisk&) = delete;

  /// Name of an sqlite3_vfs on this disk, registered while the disk lives.
  [[nodiscard]] const std::string& vfs() const { return vfs_name_; }

  // ---- power ----

  /// Cuts the power at the n-th boundary from now: that change may be torn like the unsynced ones.
  void cut_power_after(std::uint64_t boundaries);
  void cut_power();
  [[nodiscard]] bool powered() const;
  /// What survives the next cut of everything that was not synced.
  enum class Survival { random, nothing, everything, in_order };
  /// Decides what of the unsynced survived and switches on again. Handles from before stay dead.
  void power_up(Survival survival = Survival::random);

  // ---- faults ----

  enum class Op { any, open, read, write, sync, truncate, remove };
  struct Fault {
    Op op = Op::any;
    std::uint64_t at = 1;     ///< From the at-th such operation from now …
    std::uint64_t count = 1;  ///< … this many fail.
    int error = 5;            ///< EIO; ENOSPC (28) for a full disk.
  };
  static constexpr std::uint64_t for_ever = UINT64_MAX;
  /// Replaces the fault that was set before.
  void fail(Fault fault);
  void heal();
  /// Operations that matched the fault's kind since fail().
  [[nodiscard]] std::uint64_t matched() const;

  // ---- what happened ----

  [[nodiscard]] std::uint64_t boundaries() const;
  [[nodiscard]] std::uint64_t bytes_written() const;
  [[nodiscard]] std::uint64_t syncs() const;

  // ---- files, as the running system sees them ----

  [[nodiscard]] bool exists(const std::string& name) const;
  [[nodiscard]] std::vector<std::uint8_t> contents(const std::string& name) const;
  [[nodiscard]] std::size_t size(const std::string& name) const;
  int create(const std::string& name);
  /// Bytes beyond the end read as zeros; `got` counts those that were there.
  int read(const std::string& name, std::uint64_t at, std::span<std::uint8_t> out,
           std::size_t* got = nullptr);
  int write(const std::string& name, std::uint64_t at, std::span<const std::uint8_t> bytes);
  int truncate(const std::string& name, std::uint64_t size);
  int sync(const std::string& name);
  /// Makes removals, renames and creations durable.
  int sync_folder();
  int remove(const std::string& name);
  int rename(const std::string& from, const std::string& to);
  /// Flips one bit of what is stored, visible and durable, as decay does.
  void rot(const std::string& name, std::uint64_t at, int bit);

 private:
  friend struct CrashVfs;
  struct Change {  // a write, or a truncation when `bytes` is empty
    std::uint64_t at;
    std::vector<std::uint8_t> bytes;
  };
  struct File {
    std::vector<std::uint8_t> visible;
    std::vector<std::uint8_t> durable;
    std::vector<Change> pending;
    bool exists = false;
    bool durable_exists = false;
  };
  struct Shared;  // SQLite's locks and shared memory, in crash_vfs.cc

  int gate(Op op, bool boundary = true);
  static void apply(const Change& change, std::vector<std::uint8_t>& bytes);
  void apply_torn(const Change& change, std::vector<std::uint8_t>& bytes);
  void survive(File& file, Survival survival);
  bool chance(int percent);
  void register_vfs();
  void unregister_vfs();
  void forget_locks();

  mutable std::recursive_mutex mutex_;
  std::mt19937_64 random_;
  std::map<std::string, File> files_;
  bool powered_ = true;
  std::uint64_t generation_ = 0;  // grows at each power_up; older handles are dead
  std::optional<std::uint64_t> cut_at_;
  std::optional<Fault> fault_;
  std::uint64_t matched_ = 0;
  std::uint64_t boundaries_ = 0;
  std::uint64_t bytes_written_ = 0;
  std::uint64_t syncs_ = 0;
  std::string vfs_name_;
  struct Vfs;
  std::unique_ptr<Vfs> vfs_;
  std::map<std::string, std::shared_ptr<Shared>> shared_;
};

}  // namespace firebreak::testing
