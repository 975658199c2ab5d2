#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "agent/guard/links/line_settings.h"
#include "common/base/result.h"

namespace firebreak::guard {

/// What a non-blocking read or write achieved.
struct IoResult {
  std::size_t bytes = 0;  ///< 0 when nothing could be moved now.
  bool lost = false;      ///< The other end is gone (hang-up, EIO, ENXIO, end of file).
};

/// The port of one printer: the seam between the link's logic and the kernel. Used by the link's
/// thread only, except that the stop thread writes to fd() directly.
class SerialPort {
 public:
  virtual ~SerialPort() = default;

  /// Opens and sets up the port. Linux raises DTR in open() whatever one does: boards that reset
  /// on DTR restart here. `refused`: another process holds it (the message names it);
  /// `bad_input`: its name could mean several boards; `not_found`: it is not there;
  /// `unavailable`: everything else.
  virtual Result<void> open() = 0;

  /// Goes on with a descriptor that an earlier run opened, without any change of DTR or settings.
  /// False, and the descriptor closed, if it is dead.
  virtual bool adopt(int fd) = 0;

  /// Gives the port back. The descriptor itself is closed a little later (see collect()), so that
  /// a stop thread that still holds its number never writes into another file.
  virtual void close() noexcept = 0;

  /// Closes what close() left behind, once the grace period is over.
  virtual void collect() noexcept = 0;

  [[nodiscard]] virtual int fd() const noexcept = 0;  ///< -1 while closed.
  virtual IoResult read(std::span<char> into) noexcept = 0;
  virtual IoResult write(std::string_view bytes) noexcept = 0;

  /// Bytes that were written but, as far as can be known, have not left yet.
  virtual std::size_t queued() noexcept = 0;

  /// Takes back what was written and has not left yet. May block for as long as a driver does.
  virtual void drop_output() noexcept = 0;

  virtual bool set_dtr(bool high) noexcept = 0;  ///< False where the port has no such line.
  /// Takes over a host's settings; false, and nothing changed, where the port refuses them.
  virtual bool set_line(const LineSettings& line) noexcept = 0;
  [[nodiscard]] virtual LineSettings line() const noexcept = 0;
};

}  // namespace firebreak::guard
