#include "coordinator/front_door/worker_pool.h"

#include "common/log/log.h"

namespace firebreak::coordinator {

WorkerPool::WorkerPool(std::size_t threads, std::size_t waiting_max) : waiting_max_(waiting_max) {
  threads_.emplace_back([this] { work(true); });
  for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { work(false); });
}

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    jobs_.clear();
    stops_.clear();
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool WorkerPool::submit(Job job, bool stop) {
  {
    const std::lock_guard lock(mutex_);
    auto& queue = stop ? stops_ : jobs_;
    if (ending_ || queue.size() >= waiting_max_) return false;
    queue.push_back(std::move(job));
  }
  wake_.notify_all();
  return true;
}

namespace {

/// Jobs catch what they throw; this keeps a mistake in one of them from ending the process.
void run(const WorkerPool::Job& job) {
  try {
    job();
  } catch (const std::exception& e) {
    log::error("a worker's job threw: {}", e.what());
  }
}

}  // namespace

void WorkerPool::work(bool stops_only) {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [&] { return ending_ || !stops_.empty() || (!stops_only && !jobs_.empty()); });
    if (ending_) return;
    auto& queue = stops_.empty() ? jobs_ : stops_;
    Job job = std::move(queue.front());
    queue.pop_front();
    lock.unlock();
    run(job);
    job = nullptr;
    lock.lock();
  }
}

}  // namespace firebreak::coordinator
