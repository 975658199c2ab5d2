#include "agent/guard/process/realtime.h"

#include <fmt/format.h>
#include <malloc.h>
#include <sched.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>

namespace firebreak::guard {
namespace {

// Measured for the deepest call chain (SQLite, JSON): 60 KiB; the sanitizers' frames are larger.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::size_t stack_bytes = 2 * 1024 * 1024;
#else
constexpr std::size_t stack_bytes = 192 * 1024;
#endif

}  // namespace

std::vector<std::string> lock_memory() {
  std::vector<std::string> warnings;
  // One arena and no trimming: memory that was once touched stays, and stays locked.
  mallopt(M_ARENA_MAX, 1);
  mallopt(M_TRIM_THRESHOLD, -1);
  if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0) {
    warnings.push_back(fmt::format(
        "memory is not locked ({}): a loaded host may answer late; set LimitMEMLOCK=infinity",
        std::strerror(errno)));
  }
  return warnings;
}

Thread::Thread(const char* name, int fifo_priority, std::function<void()> body,
               std::string& warning)
    : body_(std::move(body)) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, stack_bytes);
  running_ = pthread_create(&thread_, &attributes, &Thread::enter, this) == 0;
  pthread_attr_destroy(&attributes);
  if (!running_) {
    warning = fmt::format("thread {} could not be started", name);
    return;
  }
  pthread_setname_np(thread_, name);
  if (fifo_priority == priority::ordinary) return;
  const sched_param parameters{fifo_priority};
  if (pthread_setschedparam(thread_, SCHED_FIFO, &parameters) != 0) {
    warning =
        "no real-time rights: a loaded host may answer late; give the guard CAP_SYS_NICE or "
        "LimitRTPRIO=60";
  }
}

Thread::~Thread() {
  if (running_) pthread_join(thread_, nullptr);
}

void* Thread::enter(void* self) {
  static_cast<Thread*>(self)->body_();
  return nullptr;
}

}  // namespace firebreak::guard
