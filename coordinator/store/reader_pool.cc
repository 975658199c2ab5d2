#include "coordinator/store/reader_pool.h"

#include <chrono>

namespace firebreak::coordinator {
namespace {

storage::OpenOptions as_reader(storage::OpenOptions options) {
  options.read_only = true;
  options.create = false;
  options.checkpoint_pages = 0;
  options.bytes_max = 0;
  return options;
}

}  // namespace

ReaderPool::ReaderPool(std::filesystem::path file, storage::OpenOptions options)
    : file_(std::move(file)), options_(as_reader(std::move(options))) {}

Result<ReaderPool::Loan> ReaderPool::borrow() {
  std::unique_lock lock(mutex_);
  const bool free = changed_.wait_for(lock, std::chrono::seconds{5},
                                      [this] { return !suspended_ && lent_ < readers_max; });
  if (!free) return fail(ErrorCode::unavailable, "storage: too many readers; try again");
  ++lent_;
  if (!idle_.empty()) {
    Loan loan(*this, std::move(idle_.back()));
    idle_.pop_back();
    return loan;
  }
  lock.unlock();
  auto opened = storage::Database::open(file_, options_);
  if (opened) return Loan(*this, std::move(*opened));
  lock.lock();
  --lent_;
  changed_.notify_all();
  return fail(opened.error());
}

void ReaderPool::give_back(storage::Database database) {
  const std::lock_guard lock(mutex_);
  --lent_;
  if (!suspended_) idle_.push_back(std::move(database));
  changed_.notify_all();
}

void ReaderPool::suspend(bool suspended) {
  std::unique_lock lock(mutex_);
  suspended_ = suspended;
  if (suspended) {
    idle_.clear();
    changed_.wait(lock, [this] { return lent_ == 0; });
  }
  changed_.notify_all();
}

}  // namespace firebreak::coordinator
