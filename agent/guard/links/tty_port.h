#pragma once

#include <filesystem>
#include <string>

#include "agent/guard/links/retired_descriptors.h"
#include "agent/guard/links/serial_port.h"
#include "common/base/clock.h"

namespace firebreak::guard {

/// A terminal device of the kernel: USB serial, UART, or the slave of a pty (simulator, tests).
/// Raw, exclusive (TIOCEXCL and flock), non-blocking, never a controlling terminal, HUPCL cleared
/// so that closing does not drop DTR. Requests that a pty does not know are tolerated on a pty
/// only.
class TtyPort final : public SerialPort {
 public:
  TtyPort(std::filesystem::path path, int baud, const Clock& clock);
  ~TtyPort() override;
  TtyPort(const TtyPort&) = delete;
  TtyPort& operator=(const TtyPort&) = delete;

  Result<void> open() override;
  bool adopt(int fd) override;
  void close() noexcept override;
  void collect() noexcept override;
  [[nodiscard]] int fd() const noexcept override { return fd_; }
  IoResult read(std::span<char> into) noexcept override;
  IoResult write(std::string_view bytes) noexcept override;
  std::size_t queued() noexcept override;
  void drop_output() noexcept override;
  bool set_dtr(bool high) noexcept override;
  bool set_line(const LineSettings& line) noexcept override;
  [[nodiscard]] LineSettings line() const noexcept override { return line_; }

 private:
  Result<void> set_up(int fd);
  [[nodiscard]] std::size_t paced_bytes() noexcept;

  const std::filesystem::path path_;
  const int configured_baud_;
  const Clock& clock_;
  LineSettings line_;
  int fd_ = -1;
  bool pty_ = false;
  // A pty has no output queue to ask for: what is on its way is estimated from the baud rate.
  double paced_ = 0;
  MonotonicTime paced_at_{};
  RetiredDescriptors retired_;
};

}  // namespace firebreak::guard
