#pragma once

#include <filesystem>
#include <string>

#include "agent/guard/core/descriptor_keeper.h"
#include "agent/guard/proxy/host_port.h"
#include "common/base/result.h"

namespace firebreak::guard {

/// The pseudo terminal that a host opens instead of the real port: raw, mode 0660, reachable by a
/// symlink in the run directory. The slave stays open here, so that the master never sees the end
/// of a host, and both live in the descriptor keeper, so that a host's session outlives a restart
/// of the guard.
class PtyPair final : public HostPort {
 public:
  /// Names in the keeper are "pty.<printer>" and "ptyslave.<printer>".
  PtyPair(std::string printer, std::filesystem::path symlink, DescriptorKeeper& keeper);
  ~PtyPair() override;
  PtyPair(const PtyPair&) = delete;
  PtyPair& operator=(const PtyPair&) = delete;

  /// Adopts the pair of an earlier run or makes one, and (re)places the symlink.
  Result<void> open(int baud);

  [[nodiscard]] int master_fd() const noexcept { return master_; }
  [[nodiscard]] int watch_fd() const noexcept { return watch_; }  ///< Readable when a host opens.
  [[nodiscard]] bool adopted() const noexcept { return adopted_; }

  IoResult read(std::span<char> into) noexcept override;
  IoResult write(std::string_view bytes) noexcept override;
  bool attached() noexcept override;
  LineSettings line() noexcept override;
  void hang_up() noexcept override;

 private:
  Result<void> create(int baud);
  Result<void> place_symlink();
  Result<void> set_raw(int baud) noexcept;
  void watch_slave();
  void read_watch() noexcept;
  void settle_unseen() noexcept;
  void doubt_unseen() noexcept;
  [[nodiscard]] bool has_unread() const noexcept;
  void close_all() noexcept;

  const std::string printer_;
  const std::string master_name_, slave_name_;
  const std::filesystem::path symlink_;
  DescriptorKeeper& keeper_;
  std::string slave_path_;
  int master_ = -1, slave_ = -1, watch_ = -1;
  int configured_baud_ = 115200;
  int openers_ = 0;
  bool adopted_ = false;
  /// A host from before our restart that /proc may not show (it is another user's).
  enum class Unseen : std::uint8_t { none, maybe, hardly } unseen_ = Unseen::none;
  int unread_looks_ = 0;
};

}  // namespace firebreak::guard
