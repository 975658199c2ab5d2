// The simulator's own record of what really happened: JSON lines, flushed one by one.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace firebreak::sim {

// CLOCK_MONOTONIC in nanoseconds, the clock of all records.
std::int64_t monotonic_ns();

class Journal {
 public:
  Journal() = default;
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  // An empty path keeps no journal. Returns an error text, or nothing.
  std::string open(const std::string& path);
  // Appends {"ns":…,"fact":…,…}. `fields` is a JSON object.
  void write(std::int64_t ns, const char* fact, const nlohmann::json& fields);

 private:
  int fd_ = -1;
};

}  // namespace firebreak::sim
