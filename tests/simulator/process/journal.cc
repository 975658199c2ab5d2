#include "tests/simulator/process/journal.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <nlohmann/json.hpp>

namespace firebreak::sim {

std::int64_t monotonic_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

Journal::~Journal() {
  if (fd_ >= 0) close(fd_);
}

std::string Journal::open(const std::string& path) {
  if (path.empty()) return {};
  fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  return fd_ < 0 ? path + ": " + std::strerror(errno) : std::string();
}

void Journal::write(std::int64_t ns, const char* fact, const nlohmann::json& fields) {
  if (fd_ < 0) return;
  nlohmann::ordered_json record;
  record["ns"] = ns;
  record["fact"] = fact;
  for (const auto& [key, value] : fields.items()) record[key] = value;
  const std::string line =
      record.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  if (::write(fd_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
    std::perror("firebreak-sim: the journal lost a line");
  }
}

}  // namespace firebreak::sim
