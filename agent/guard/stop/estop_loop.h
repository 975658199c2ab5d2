#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "agent/guard/core/guard_core.h"

namespace firebreak::guard {

/// The stop thread's work: the only writer of every printer's machine memory, and the only one who
/// sends stop bytes and tells relays. One pass is: see what changed, let the machine decide for
/// every printer, commit the latches, then all ports, then all relays, then the alarm; only after
/// that the record. Nothing in a pass allocates, locks, logs to a disk or blocks.
class EstopLoop {
 public:
  EstopLoop(GuardCore& core, EventQueue& events, const Clock& clock);

  /// First pass after a start, before any output is driven: decides BOOT for every printer from
  /// mapped memory and slots, and commits it.
  void start();

  /// One pass at `now_ns` with the input changes that are already read. Public for tests on a
  /// virtual clock; run() calls it.
  void pass(std::int64_t now_ns, std::span<const InputEdge> edges, bool board_lost) noexcept;

  /// Waits for inputs, wake-ups and deadlines until core.end. The thread's whole life.
  void run() noexcept;

  /// Longest wait of run(): well under the thread's deadline of 100 ms.
  static constexpr std::int64_t longest_wait_ns = 25'000'000;

 private:
  void take_inputs(std::span<const InputEdge> edges, bool board_lost, std::int64_t now_ns) noexcept;
  void latch_host(Cause cause) noexcept;
  void take_host_requests() noexcept;
  void decide(PrinterRuntime& printer, std::int64_t now_ns) noexcept;
  machine::Facts gather(PrinterRuntime& printer, std::int64_t now_ns) noexcept;
  void gather_relay(PrinterRuntime& printer, machine::Facts& facts) noexcept;
  void share_power() noexcept;
  void send(PrinterRuntime& printer) noexcept;
  void tell_relays(std::int64_t now_ns) noexcept;
  void tell_link(PrinterRuntime& printer) noexcept;
  void tell_alarm(std::int64_t now_ns) noexcept;
  void commit_host() noexcept;
  void commit(PrinterRuntime& printer) noexcept;
  void record(PrinterRuntime& printer) noexcept;
  [[nodiscard]] bool worth_recording(const machine::Row& row,
                                     const PrinterRuntime& printer) noexcept;
  void record_presses(std::span<const InputEdge> edges) noexcept;
  [[nodiscard]] std::int64_t wait_ns(std::int64_t now_ns) const noexcept;

  static constexpr std::size_t rows_a_pass = 6;

  /// What one pass did to one printer, kept until it is recorded.
  struct Doing {
    std::array<const machine::Row*, rows_a_pass> rows{};
    std::size_t row_count = 0;
    machine::Send send = machine::Send::nothing;
    bool relay_wanted = false;
    bool changed = false;
    std::int32_t bytes_taken = -1;  ///< -1: nothing was to be sent.
  };

  /// When heat on a latched printer was last recorded, and whether the present cut is of its kind.
  struct HeatTold {
    std::uint32_t latch_number = 0;
    std::int64_t at_ns = 0;
    bool again = false;
  };

  GuardCore& core_;
  EventQueue& events_;
  const Clock& clock_;
  HostMemory host_;
  std::array<Doing, max_printers> doing_{};
  std::array<HeatTold, max_printers> heat_told_{};
  PassTimes times_;
  std::uint32_t passes_ = 0;
  bool relays_driven_ = false;
  bool host_changed_ = false;
};

}  // namespace firebreak::guard
