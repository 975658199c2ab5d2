#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace firebreak::coordinator {

/// A few threads for requests, and one more that takes stops alone: a stop never waits behind
/// other requests, however long those take. Thread-safe.
class WorkerPool {
 public:
  using Job = std::function<void()>;
  WorkerPool(std::size_t threads, std::size_t waiting_max);
  /// Waits for the jobs that run; those that wait are dropped.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  /// False: too many wait; the caller turns the request away. Stops have a queue of their own of
  /// the same length.
  bool submit(Job job, bool stop);

 private:
  void work(bool stops_only);

  const std::size_t waiting_max_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> jobs_;   // guarded by mutex_
  std::deque<Job> stops_;  // guarded by mutex_
  bool ending_ = false;    // guarded by mutex_
  std::vector<std::thread> threads_;
};

}  // namespace firebreak::coordinator
