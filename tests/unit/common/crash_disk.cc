#include "tests/unit/common/crash_disk.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "tests/unit/common/crash_vfs.h"

namespace firebreak::testing {

CrashDisk::CrashDisk(std::uint64_t seed) : random_(seed) { register_vfs(); }
CrashDisk::~CrashDisk() { unregister_vfs(); }

bool CrashDisk::chance(int percent) { return static_cast<int>(random_() % 100) < percent; }

void CrashDisk::cut_power_after(std::uint64_t boundaries) {
  const std::lock_guard lock(mutex_);
  cut_at_ = boundaries_ + boundaries;
}

void CrashDisk::cut_power() {
  const std::lock_guard lock(mutex_);
  powered_ = false;
}

bool CrashDisk::powered() const {
  const std::lock_guard lock(mutex_);
  return powered_;
}

void CrashDisk::fail(Fault fault) {
  const std::lock_guard lock(mutex_);
  fault_ = fault;
  matched_ = 0;
}

void CrashDisk::heal() {
  const std::lock_guard lock(mutex_);
  fault_.reset();
}

std::uint64_t CrashDisk::matched() const {
  const std::lock_guard lock(mutex_);
  return matched_;
}
std::uint64_t CrashDisk::boundaries() const {
  const std::lock_guard lock(mutex_);
  return boundaries_;
}
std::uint64_t CrashDisk::bytes_written() const {
  const std::lock_guard lock(mutex_);
  return bytes_written_;
}
std::uint64_t CrashDisk::syncs() const {
  const std::lock_guard lock(mutex_);
  return syncs_;
}

// Counts the operation; an errno when it must not happen. At the boundary where the power goes the
// caller still records its change (it may be torn), then finds powered_ false.
int CrashDisk::gate(Op op, bool boundary) {
  if (!powered_) return EIO;
  if (boundary) {
    ++boundaries_;
    if (cut_at_ && boundaries_ >= *cut_at_) {
      powered_ = false;
      cut_at_.reset();
    }
  }
  if (!fault_ || (fault_->op != Op::any && fault_->op != op)) return 0;
  ++matched_;
  const bool fails = matched_ >= fault_->at && matched_ - fault_->at < fault_->count;
  return fails ? fault_->error : 0;
}

void CrashDisk::apply(const Change& change, std::vector<std::uint8_t>& bytes) {
  if (change.bytes.empty()) {
    bytes.resize(change.at);
    return;
  }
  if (bytes.size() < change.at + change.bytes.size()) {
    bytes.resize(change.at + change.bytes.size());
  }
  std::copy(change.bytes.begin(), change.bytes.end(),
            bytes.begin() + static_cast<std::ptrdiff_t>(change.at));
}

void CrashDisk::apply_torn(const Change& change, std::vector<std::uint8_t>& bytes) {
  if (change.bytes.empty()) {
    if (chance(50)) apply(change, bytes);
    return;
  }
  std::uint64_t at = change.at;
  std::size_t from = 0;
  while (from < change.bytes.size()) {
    const std::size_t n =
        std::min<std::size_t>(sector_bytes - at % sector_bytes, change.bytes.size() - from);
    if (chance(50)) {
      const std::size_t kept = chance(10) ? random_() % n + 1 : n;
      const auto* data = change.bytes.data() + from;
      apply({at, std::vector<std::uint8_t>(data, data + kept)}, bytes);
    }
    at += n;
    from += n;
  }
}

void CrashDisk::survive(File& file, Survival survival) {
  std::size_t count = file.pending.size();
  if (survival == Survival::nothing) count = 0;
  if (survival == Survival::in_order && count > 0) count = random_() % (count + 1);
  for (std::size_t i = 0; i < count; ++i) {
    if (survival == Survival::random) {
      apply_torn(file.pending[i], file.durable);
    } else {
      apply(file.pending[i], file.durable);
    }
  }
  if (file.exists != file.durable_exists) {
    const bool kept =
        survival == Survival::everything || (survival != Survival::nothing && chance(50));
    if (kept) file.durable_exists = file.exists;
  }
  file.exists = file.durable_exists;
  if (!file.exists) file.durable.clear();
  file.visible = file.durable;
  file.pending.clear();
}

void CrashDisk::power_up(Survival survival) {
  const std::lock_guard lock(mutex_);
  for (auto& [name, file] : files_) survive(file, survival);
  std::erase_if(files_, [](const auto& entry) { return !entry.second.exists; });
  forget_locks();
  powered_ = true;
  cut_at_.reset();
  ++generation_;
}

bool CrashDisk::exists(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto at = files_.find(name);
  return at != files_.end() && at->second.exists;
}

std::vector<std::uint8_t> CrashDisk::contents(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto at = files_.find(name);
  return at != files_.end() && at->second.exists ? at->second.visible : std::vector<std::uint8_t>{};
}

std::size_t CrashDisk::size(const std::string& name) const { return contents(name).size(); }

int CrashDisk::create(const std::string& name) {
  const std::lock_guard lock(mutex_);
  if (exists(name)) return 0;
  if (const int error = gate(Op::open)) return error;
  if (!powered_ && chance(50)) return EIO;
  File& file = files_[name];
  file = File{};  // a removal before it counts as durable: no file system mixes two of one name
  file.exists = true;
  return powered_ ? 0 : EIO;
}

int CrashDisk::read(const std::string& name, std::uint64_t at, std::span<std::uint8_t> out,
                    std::size_t* got) {
  const std::lock_guard lock(mutex_);
  if (const int error = gate(Op::read, false)) return error;
  if (!exists(name)) return ENOENT;
  const auto& bytes = files_[name].visible;
  const std::size_t n =
      at >= bytes.size() ? 0 : std::min<std::size_t>(out.size(), bytes.size() - at);
  std::fill(out.begin(), out.end(), std::uint8_t{0});
  std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(n > 0 ? at : 0), n, out.begin());
  if (got != nullptr) *got = n;
  return 0;
}

int CrashDisk::write(const std::string& name, std::uint64_t at,
                     std::span<const std::uint8_t> bytes) {
  const std::lock_guard lock(mutex_);
  if (!exists(name)) return ENOENT;
  if (bytes.empty()) return 0;
  Change change{at, {bytes.begin(), bytes.end()}};
  if (const int error = gate(Op::write)) {
    // A full disk or a bad block may still have taken the first part.
    if (!powered_ || !chance(50)) return error;
    change.bytes.resize(bytes.size() / 2);
    if (change.bytes.empty()) return error;
    apply(change, files_[name].visible);
    files_[name].pending.push_back(std::move(change));
    return error;
  }
  bytes_written_ += bytes.size();
  apply(change, files_[name].visible);
  files_[name].pending.push_back(std::move(change));
  return powered_ ? 0 : EIO;
}

int CrashDisk::truncate(const std::string& name, std::uint64_t size) {
  const std::lock_guard lock(mutex_);
  if (!exists(name)) return ENOENT;
  if (const int error = gate(Op::truncate)) return error;
  const Change change{size, {}};
  apply(change, files_[name].visible);
  files_[name].pending.push_back(change);
  return powered_ ? 0 : EIO;
}

int CrashDisk::sync(const std::string& name) {
  const std::lock_guard lock(mutex_);
  if (!exists(name)) return ENOENT;
  File& file = files_[name];
  if (const int error = gate(Op::sync)) {
    // Some of it may have reached the disk; none of it will be tried again.
    if (powered_) {
      for (const Change& change : file.pending) apply_torn(change, file.durable);
      file.pending.clear();
    }
    return error;
  }
  ++syncs_;
  if (!powered_) return EIO;  // cut while syncing: power_up() decides
  for (const Change& change : file.pending) apply(change, file.durable);
  file.pending.clear();
  file.durable_exists = true;
  return 0;
}

int CrashDisk::sync_folder() {
  const std::lock_guard lock(mutex_);
  if (const int error = gate(Op::sync)) return error;
  if (!powered_) return EIO;
  for (auto& [name, file] : files_) file.durable_exists = file.exists;
  return 0;
}

int CrashDisk::remove(const std::string& name) {
  const std::lock_guard lock(mutex_);
  if (!exists(name)) return ENOENT;
  if (const int error = gate(Op::remove)) return error;
  files_[name].exists = false;
  return powered_ ? 0 : EIO;
}

int CrashDisk::rename(const std::string& from, const std::string& to) {
  const std::lock_guard lock(mutex_);
  if (!exists(from)) return ENOENT;
  if (const int error = gate(Op::remove)) return error;
  // The new name with the file's synced bytes appears together with the old one's end: half of a
  // rename is never seen. Which of both it is, is decided here and not at the cut.
  if (!powered_ && chance(50)) return EIO;
  files_[to] = std::move(files_[from]);
  files_.erase(from);
  return powered_ ? 0 : EIO;
}

void CrashDisk::rot(const std::string& name, std::uint64_t at, int bit) {
  const std::lock_guard lock(mutex_);
  File& file = files_[name];
  const auto flip = [&](std::vector<std::uint8_t>& bytes) {
    if (at < bytes.size()) bytes[at] = static_cast<std::uint8_t>(bytes[at] ^ (1U << bit));
  };
  flip(file.visible);
  flip(file.durable);
}

}  // namespace firebreak::testing
