// Preloaded into one process, kills it at its Nth call that changes a file: FB_KILL_AT=N of the
// program named FB_KILL_NAME. Even numbers of FB_KILL_AFTER=1 die right after the call, else before.
// So a test can stop a process at every write boundary, one after another.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long calls;

static long wanted(void) {
  static long at = -1;
  if (at < 0) {
    const char* name = getenv("FB_KILL_NAME");
    const char* number = getenv("FB_KILL_AT");
    at = number && name && strcmp(program_invocation_short_name, name) == 0 ? atol(number) : 0;
  }
  return at;
}

static int due(void) {
  const long at = wanted();
  return at > 0 && atomic_fetch_add(&calls, 1) + 1 == at;
}

static void die(void) { kill(getpid(), SIGKILL); }

#define AROUND(type, name, parameters, arguments)                      \
  type name parameters {                                               \
    static type(*_Atomic real) parameters;                               \
    if (!real) real = (type(*) parameters)dlsym(RTLD_NEXT, #name);     \
    const int now = due();                                             \
    if (now && !getenv("FB_KILL_AFTER")) die();                        \
    const type result = real arguments;                                \
    if (now) die();                                                    \
    return result;                                                     \
  }

AROUND(ssize_t, pwrite, (int fd, const void* data, size_t size, off_t at), (fd, data, size, at))
AROUND(ssize_t, pwrite64, (int fd, const void* data, size_t size, off64_t at), (fd, data, size, at))
AROUND(ssize_t, pwritev, (int fd, const struct iovec* v, int n, off_t at), (fd, v, n, at))
AROUND(int, fsync, (int fd), (fd))
AROUND(int, fdatasync, (int fd), (fd))
AROUND(int, ftruncate, (int fd, off_t size), (fd, size))
AROUND(int, ftruncate64, (int fd, off64_t size), (fd, size))
AROUND(int, rename, (const char* from, const char* to), (from, to))
AROUND(int, unlink, (const char* path), (path))
