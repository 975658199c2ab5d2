// What the servers of the kinds need of the process: descriptors that are ready, and time.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <utility>

#include "tests/simulator/dialect.h"

namespace firebreak::sim {

// Tells when descriptors are ready (events as of epoll). Calls come from the one thread of the
// process, after the printer has been brought to the present.
class Reactor {
 public:
  using Ready = std::function<void(std::uint32_t events)>;
  virtual ~Reactor() = default;
  virtual void watch(int fd, std::uint32_t events, Ready ready) = 0;
  virtual void change(int fd, std::uint32_t events) = 0;
  virtual void unwatch(int fd) = 0;
};

// Work for later, on the printer's own clock.
class Timers {
 public:
  void at(Nanos time, std::function<void()> work) { work_.emplace(time, std::move(work)); }
  std::optional<Nanos> next() const {
    return work_.empty() ? std::nullopt : std::optional(work_.begin()->first);
  }
  void run(Nanos now) {
    while (!work_.empty() && work_.begin()->first <= now) {
      const auto work = std::move(work_.begin()->second);
      work_.erase(work_.begin());
      work();
    }
  }

 private:
  std::multimap<Nanos, std::function<void()>> work_;
};

}  // namespace firebreak::sim
