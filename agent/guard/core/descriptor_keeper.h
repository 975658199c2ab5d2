#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace firebreak::guard {

/// Keeps open descriptors across a restart of the guard (systemd's descriptor store), so that a
/// port is never opened twice: opening pulses DTR and resets the board.
/// Thread-safe; may block for a moment, so never on the estop or monitor thread.
class DescriptorKeeper {
 public:
  virtual ~DescriptorKeeper() = default;

  /// The descriptor that an earlier run left under `name`, once; the caller owns it now.
  virtual std::optional<int> take(std::string_view name) = 0;

  /// Leaves a duplicate of `fd` under `name` for the next run, replacing an older one. Without a
  /// service manager this does nothing.
  virtual void keep(std::string_view name, int fd) = 0;

  /// Forgets `name`; not an error if it is not there.
  virtual void forget(std::string_view name) = 0;
};

}  // namespace firebreak::guard
