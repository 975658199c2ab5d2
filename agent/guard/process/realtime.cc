#include "agent/guard/process/realtime.h"

#include <fmt/format.h>
#include <malloc.h>
#include <sched.h>
#include <sys/mman.h>

#include <cerrno>

#include "common/base/system_reason.h"

namespace firebreak::guard {
namespace {

// A stack is locked whole, so it is no larger than it must be. Touched in use: 8 to 16 KiB on every
// thread, 60 KiB for the deepest call chain of SQLite and JSON; the sanitizers' frames are larger.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::size_t realtime_stack_bytes = 2 * 1024 * 1024;
constexpr std::size_t ordinary_stack_bytes = 2 * 1024 * 1024;
#else
constexpr std::size_t realtime_stack_bytes = 64 * 1024;
constexpr std::size_t ordinary_stack_bytes = 128 * 1024;
#endif

}  // namespace

std::vector<std::string> lock_memory() {
  std::vector<std::string> warnings;
  // One arena and no trimming: memory that was once touched stays, and stays locked.
  mallopt(M_ARENA_MAX, 1);
  mallopt(M_TRIM_THRESHOLD, -1);
  // What reading the configuration left behind is not worth locking.
  malloc_trim(0);
  if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0) {
    warnings.push_back(fmt::format(
        "memory is not locked ({}): a loaded host may answer late; set LimitMEMLOCK=infinity",
        system_reason(errno)));
  }
  return warnings;
}

Thread::Thread(const char* name, int fifo_priority, std::function<void()> body,
               std::string& warning)
    : body_(std::move(body)) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, fifo_priority == priority::ordinary
                                             ? ordinary_stack_bytes
                                             : realtime_stack_bytes);
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
