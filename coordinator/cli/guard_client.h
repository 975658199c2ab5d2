#pragma once

#include <chrono>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "coordinator/cli/exit_status.h"

namespace firebreak::cli {

/// Where the guard's operator socket is when nothing else is said.
inline constexpr const char* default_guard_socket = "/run/firebreak/control.sock";

/// One connection to the guard of this host. Needs no network and no coordinator. One thread;
/// every call ends within its time limit.
class GuardClient {
 public:
  static Outcome<GuardClient> connect(const std::filesystem::path& socket);
  GuardClient(GuardClient&& other) noexcept;
  GuardClient& operator=(GuardClient&& other) noexcept;
  ~GuardClient();

  /// Sends one request and waits for its answer. What the guard refuses is a Failure with the
  /// guard's own sentence; an answer that does not come is outcome_unknown for a request that
  /// changes something.
  Outcome<nlohmann::json> ask(const nlohmann::json& request,
                              std::chrono::milliseconds limit = std::chrono::seconds{5});

 private:
  GuardClient(int fd, std::filesystem::path socket) : fd_(fd), socket_(std::move(socket)) {}
  Outcome<void> send_line(std::string line, std::chrono::steady_clock::time_point until);
  Outcome<std::string> read_line(std::chrono::steady_clock::time_point until);
  [[nodiscard]] Failure lost(const std::string& what) const;

  int fd_ = -1;
  std::filesystem::path socket_;
  std::string buffer_;
};

}  // namespace firebreak::cli
