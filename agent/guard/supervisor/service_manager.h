#pragma once

#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "agent/guard/core/descriptor_keeper.h"

namespace firebreak::guard {

/// The guard's side of systemd's notification socket and descriptor store, spoken directly as
/// sd_notify(3) and sd_listen_fds(3) describe: the library would put its compressors and its crypto
/// into a process that is locked into memory. Without a service manager every call does nothing.
class ServiceManager final : public DescriptorKeeper {
 public:
  /// Reads and clears NOTIFY_SOCKET, WATCHDOG_USEC and LISTEN_FDS, LISTEN_FDNAMES, LISTEN_PID;
  /// inherited descriptors get close-on-exec.
  static ServiceManager from_environment();
  ServiceManager(ServiceManager&& other) noexcept;
  ~ServiceManager() override;

  /// Sends lines such as "READY=1" or "WATCHDOG=1". Never blocks; any thread.
  void notify(std::string_view lines) noexcept;

  [[nodiscard]] bool present() const noexcept { return socket_ >= 0; }

  std::optional<int> take(std::string_view name) override;
  void keep(std::string_view name, int fd) override;
  void forget(std::string_view name) override;

 private:
  ServiceManager() = default;
  void send(std::string_view lines, int fd) noexcept;

  int socket_ = -1;
  std::mutex mutex_;
  std::map<std::string, int, std::less<>> inherited_;  // Guarded by mutex_.
};

}  // namespace firebreak::guard
