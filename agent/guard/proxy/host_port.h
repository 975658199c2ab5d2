#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "agent/guard/links/line_settings.h"
#include "agent/guard/links/serial_port.h"

namespace firebreak::guard {

/// The side of the pty that looks at the host program (OctoPrint, printcore): the seam between
/// the pass-through and the kernel. Used by the link's thread only.
class HostPort {
 public:
  virtual ~HostPort() = default;
  virtual IoResult read(std::span<char> into) noexcept = 0;
  virtual IoResult write(std::string_view bytes) noexcept = 0;
  /// True while a program holds the pty open.
  virtual bool attached() noexcept = 0;
  /// What the host has set; baud 0 when that cannot be known.
  virtual LineSettings line() noexcept = 0;
  /// Ends the host's session as an unplugged cable would: it sees a hang-up and must open the pty
  /// anew. Otherwise a job could go on in the middle on a printer that has just booted.
  virtual void hang_up() noexcept = 0;
};

}  // namespace firebreak::guard
