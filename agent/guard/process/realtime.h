#pragma once

#include <pthread.h>

#include <functional>
#include <string>
#include <vector>

namespace firebreak::guard {

/// Priorities (SCHED_FIFO) of the guard's threads; 0 = ordinary.
namespace priority {
inline constexpr int estop = 60;
inline constexpr int supervisor = 55;
inline constexpr int monitor = 50;
inline constexpr int link = 40;
inline constexpr int ordinary = 0;
}  // namespace priority

/// Locks all present and future memory and keeps the allocator to one arena. Returns what the
/// kernel refused, as warnings for people; protection goes on without it.
std::vector<std::string> lock_memory();

/// A thread with a small pre-faulted stack, a name and a priority. Joins in its destructor.
class Thread {
 public:
  /// `warning` gets a sentence if the kernel refuses the priority; the thread runs all the same.
  Thread(const char* name, int fifo_priority, std::function<void()> body, std::string& warning);
  ~Thread();
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;

 private:
  static void* enter(void* self);

  std::function<void()> body_;
  pthread_t thread_{};
  bool running_ = false;
};

}  // namespace firebreak::guard
