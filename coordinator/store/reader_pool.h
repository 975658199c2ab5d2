#pragma once

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <utility>
#include <vector>

#include "common/storage/database.h"

namespace firebreak::coordinator {

/// Read-only connections, lent one thread at a time. Thread-safe.
class ReaderPool {
 public:
  /// At most this many connections; who comes later waits.
  static constexpr std::size_t readers_max = 4;

  ReaderPool(std::filesystem::path file, storage::OpenOptions options);

  /// A connection on loan; gives itself back.
  class Loan {
   public:
    Loan(ReaderPool& pool, storage::Database database)
        : pool_(&pool), database_(std::move(database)) {}
    Loan(Loan&& other) noexcept
        : pool_(std::exchange(other.pool_, nullptr)), database_(std::move(other.database_)) {}
    Loan& operator=(Loan&&) = delete;
    ~Loan() {
      if (pool_ != nullptr) pool_->give_back(std::move(database_));
    }
    storage::Database& operator*() { return database_; }

   private:
    ReaderPool* pool_;
    storage::Database database_;
  };

  /// Errors: unavailable (none free within 5 s, suspended, or the file does not open).
  Result<Loan> borrow();

  /// true: waits for all loans, closes every connection and lends none; false: lends again.
  void suspend(bool suspended);

 private:
  void give_back(storage::Database database);

  const std::filesystem::path file_;
  const storage::OpenOptions options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<storage::Database> idle_;  // guarded by mutex_
  std::size_t lent_ = 0;                 // guarded by mutex_
  bool suspended_ = false;               // guarded by mutex_
};

}  // namespace firebreak::coordinator
