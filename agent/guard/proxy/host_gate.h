#pragma once

#include <array>
#include <string_view>

#include "agent/guard/proxy/binary_transfer.h"
#include "agent/guard/proxy/byte_buffer.h"
#include "agent/guard/proxy/host_line.h"
#include "agent/guard/proxy/meatpack.h"
#include "common/base/clock.h"

namespace firebreak::guard {

/// What may pass from a host to its printer now.
struct GatePolicy {
  bool allowlist_only = false;  ///< Latched or on probation.
  bool no_new_heat = false;     ///< Lines that set a target above 0 are refused.
  bool commissioning = false;   ///< The guard heats by itself: the allowlist alone passes.

  [[nodiscard]] bool by_line() const noexcept {
    return allowlist_only || no_new_heat || commissioning;
  }
  bool operator==(const GatePolicy&) const = default;
};

/// Hears of each of the host's lines, in order.
class HostLineObserver {
 public:
  virtual ~HostLineObserver() = default;
  virtual void on_host_line(const HostLine& line, std::string_view text, bool passed) noexcept = 0;
};

/// Decides what of a host's bytes reaches the port. Without a policy every byte passes unchanged
/// as it comes; with one, lines are gathered and pass whole or not at all. A policy that begins in
/// the middle of a line applies from the next line on; a latch drops the rest of the line.
/// A refused line is answered with `ok`, so that the host does not wait for ever, and the first of
/// a group with an `Error:` line that says what to do. A numbered line that only may not heat is
/// replaced by a question of the same number, or the firmware would ask for it again for ever.
/// A host that packs its lines (MeatPack) is read through; where lines are gathered the firmware is
/// told to stop unpacking, and gets them plain until the host says otherwise. No allocation; link
/// thread only.
class HostGate {
 public:
  static constexpr std::size_t max_line = 256;  ///< Longer ones are refused under a policy.
  static constexpr std::size_t max_take = 256;  ///< Bytes for one take().

  HostGate(std::string_view printer, HostLineObserver& observer) noexcept;

  /// Takes `bytes` (at most max_take, and only while to_port is empty).
  void take(std::string_view bytes, const GatePolicy& policy, MonotonicTime now) noexcept;

  /// A latch began: drops what has not reached the port, and the rest of a line that has begun,
  /// and tells the host. `unanswered` lines of the host are on their way and will not be
  /// acknowledged any more: that is done here.
  /// What hosts make of it: OctoPrint cancels its job at `//action:cancel`, shows a notification,
  /// and shows `Error:` as the reason why it disconnects (serial_connector/serial_comm.py,
  /// _handle_errors); Pronterface and pronsole know no cancel, but pause at `!!` and show its text
  /// (pronterface.py, recvcb_actions); Cura cancels at `!!` (USBPrinterOutputDevice.py, _update);
  /// printcore hands `Error` to its caller (printcore.py, _listen).
  void latch(std::size_t unanswered) noexcept;

  /// The host's session ended. A line that has begun to pass is ended (`port_lives`), so that the
  /// next one does not become its tail.
  void end_session(bool port_lives) noexcept;

  /// True when no line has begun to pass: another line may be put in between. Never in a binary
  /// transfer.
  [[nodiscard]] bool between_lines() const noexcept {
    return !binary_ && to_port.empty() && unpacker_.at_boundary() &&
           (fate_ != Fate::passing || size_ == 0);
  }

  /// The firmware knows MeatPack: from now on a host's commands to it count.
  void know_packing() noexcept { packing_known_ = true; }
  /// True while the firmware unpacks what it gets: a line of ours must be packed too.
  [[nodiscard]] bool printer_unpacks() const noexcept { return printer_unpacks_; }
  /// The firmware has gone over to packets, or back to lines. In between no line is looked at:
  /// every byte passes, and under a policy none.
  void set_binary(bool on) noexcept;
  [[nodiscard]] bool binary() const noexcept { return binary_; }
  /// The number of the CLOSE packet that the host has sent, or -1.
  [[nodiscard]] int close_sent() const noexcept { return close_sent_; }
  /// A board that has booted takes plain lines; a host that still packs is unpacked here.
  void printer_booted() noexcept {
    printer_unpacks_ = false;
    set_binary(false);
  }
  /// Nothing is known of the line before (descriptors of an earlier run).
  void assume_in_line() noexcept {
    fate_ = Fate::passing;
    size_ = 1;
    line_[0] = '?';
  }
  void assume_between_lines() noexcept { size_ = 0; }

  ByteBuffer<max_take + max_line + 8> to_port;
  ByteBuffer<2048> replies;  ///< Whole lines for the host.

 private:
  enum class Fate { passing, gathering, dropping };

  void take_binary(std::string_view bytes, const GatePolicy& policy, MonotonicTime now) noexcept;
  void take_byte(char byte, const GatePolicy& policy, MonotonicTime now) noexcept;
  void take_character(char c, const GatePolicy& policy, MonotonicTime now) noexcept;
  void begin_line(const GatePolicy& policy) noexcept;
  void pass_command(std::uint8_t command, const GatePolicy& policy) noexcept;
  void end_line(char end, const GatePolicy& policy, MonotonicTime now) noexcept;
  void refuse(const GatePolicy& policy, MonotonicTime now) noexcept;
  void tell(std::string_view form, const GatePolicy& policy) noexcept;
  bool put_question(std::int64_t number) noexcept;

  std::array<char, 32> printer_{};
  std::size_t printer_size_ = 0;
  HostLineObserver& observer_;
  std::array<char, max_line> line_{};
  std::size_t size_ = 0;
  bool too_long_ = false;
  Fate fate_ = Fate::passing;
  Unpacker unpacker_;
  CloseFinder close_finder_;
  bool packing_known_ = false, printer_unpacks_ = false, binary_ = false;
  int close_sent_ = -1;
  MonotonicTime refused_at_{};
  bool refused_before_ = false;
  GatePolicy refused_policy_{};
};

}  // namespace firebreak::guard
