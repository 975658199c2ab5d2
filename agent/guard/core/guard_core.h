#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "agent/guard/blackbox/record.h"
#include "agent/guard/config/guard_config.h"
#include "agent/guard/core/shared.h"
#include "agent/guard/hardware/board.h"
#include "agent/guard/hardware/relays.h"
#include "agent/guard/latch/mapped_state.h"
#include "agent/guard/machine/machine.h"
#include "agent/guard/stop/stop_bytes.h"
#include "agent/guard/thermal/heater_model.h"

namespace firebreak::guard {

/// What the monitor thread has found out about a printer, for the machine's next step. Valid only
/// for the state that it was found in: `for_state` and `for_entered_ns` say which.
struct MonitorFacts {
  machine::State for_state = machine::State::boot;
  std::int64_t for_entered_ns = -1;
  bool acknowledged = false;
  bool silent = true;
  bool cooled = false;
  bool cooled_elsewhere = false;
  bool risen = false;
  bool target_positive = false;
  bool sign_of_heat = false;
  bool first_report = false;
  bool hot = true;
  std::int64_t window_ns = 0;
  std::int64_t confirm_due_ns = 0;  ///< Probation: a person must have looked by then; 0 = no need.
};

/// Times of one stop pass, CLOCK_MONOTONIC ns: the edge as the hardware saw it, the latch set, the
/// last port's first stop bytes taken by the kernel, the last relay told. 0 = did not happen.
struct PassTimes {
  std::int64_t edge_ns = 0;
  std::int64_t latched_ns = 0;
  std::int64_t write_ns = 0;
  std::int64_t relay_ns = 0;
  std::uint32_t serial = 0;
};

/// Things that a person asked for; bits of PrinterRuntime::requests, taken by the estop thread.
namespace request {
inline constexpr std::uint32_t reset = 1U << 0;
inline constexpr std::uint32_t release = 1U << 1;
inline constexpr std::uint32_t arm = 1U << 2;
inline constexpr std::uint32_t watch = 1U << 3;
inline constexpr std::uint32_t unpark = 1U << 4;
}  // namespace request

/// The models that a printer's monitor is to use, in the profile's order of heaters. One that was
/// not learned means: wide priors.
struct ModelsInUse {
  std::uint32_t serial = 0;  ///< Counts changes.
  std::array<thermal::HeaterModel, max_heaters> heaters{};
};

/// What screens say of a heater's model.
struct ModelNote {
  enum class State : std::uint8_t { none, commissioned, asks_again };
  State state = State::none;
  bool in_use = false;    ///< False: wide priors protect.
  bool proposed = false;  ///< A model from ordinary prints waits for a person's approval.
  float residual = unknown;
  std::int64_t learned_wall_ms = 0;
  char why[120] = {};  ///< Why it asks again; empty otherwise.
};
using ModelNotes = std::array<ModelNote, max_heaters>;

/// One printer as the running guard has it: configuration, the meeting place of its threads, and
/// the machine's memory, which the estop thread alone writes.
struct PrinterRuntime {
  PrinterRuntime(PrinterConfig printer_config, std::size_t printer_index)
      : config(std::move(printer_config)), index(printer_index), bytes(make_stop(config)) {}

  const PrinterConfig config;
  const std::size_t index;
  const StopBytes bytes;
  Relay* relay = nullptr;  ///< Null: no independent stop.
  bool covered = false;    ///< The relay de-energises every heater.

  /// The board's own sensors at this printer.
  struct OwnSensor {
    std::size_t line = 0;
    std::size_t heater = 0;
  };
  std::vector<OwnSensor> own_sensors;
  std::vector<OwnSensor> own_currents;  ///< The same for amps.

  PrinterShared shared;
  // Written by the monitor thread.
  Seqlock<MonitorFacts> monitor;
  std::atomic<std::uint32_t> cold_minutes{0};     ///< Whole minutes seen cold and idle, up to 60.
  std::atomic<bool> blind{false};                 ///< Blind while it may be hot.
  std::atomic<std::uint32_t> trusted_heaters{0};  ///< Bit per heater: fresh and not doubted.
  std::atomic<std::int64_t> drifting_ns{0};  ///< Since when D6 has been warning; 0 = it is not.
  std::atomic<std::uint32_t> drifting_heaters{0};  ///< Bit per heater that D6 warned of since then.

  // Written by the commissioning thread.
  Seqlock<ModelsInUse> models;
  Seqlock<ModelNotes> model_notes;
  /// CLOCK_MONOTONIC by when a supervised heat-up must have given its next sign of a person and of
  /// its own thread; past it the monitor stops the printer. 0: the guard does not heat.
  std::atomic<std::int64_t> heat_up_due_ns{0};

  std::atomic<std::uint32_t> requests{0};  // Raised by the control thread.
  std::atomic<std::int64_t> watch_ns{0};
  std::atomic<std::int64_t> confirmed_ns{0};  ///< When a person last looked at a probation.

  // Written by the estop thread.
  machine::Memory memory;
  Seqlock<machine::Memory> seen;  ///< The same, for every other thread.
  Seqlock<PassTimes> last_pass;
  MappedLayout::Printer* mapped = nullptr;
  machine::Start start = machine::Start::running;
  bool recorded_cold = false;
  CauseSet pending_trips = 0;
};

/// One stop input of the board.
struct InputRuntime {
  InputConfig config;
  std::size_t line = 0;
  std::vector<std::size_t> zone;  ///< Printer indices.
  std::atomic<bool> pressed{true};
  std::atomic<std::int64_t> pressed_at_ns{0};  ///< Last press; 0 = never seen.
};

/// Signs of life. The first two gate the pulses; the others only warn: a stalled SD card must not
/// stop a farm.
struct Liveness {
  std::atomic<std::int64_t> estop_ns{0};
  std::atomic<std::int64_t> monitor_ns{0};
  std::atomic<std::int64_t> control_ns{0};
  std::atomic<std::int64_t> store_ns{0};
};

/// Everything that the guard's threads share. Made once at start; after that no member is moved.
struct GuardCore {
  explicit GuardCore(GuardConfig guard_config) : config(std::move(guard_config)) {}

  const GuardConfig config;
  std::unique_ptr<MappedState> mapped;
  std::unique_ptr<Board> board;
  std::vector<std::unique_ptr<Relay>> relays;
  std::vector<std::unique_ptr<InputRuntime>> inputs;
  std::vector<std::unique_ptr<PrinterRuntime>> printers;
  std::size_t alarm_line = ~std::size_t{0};

  std::int64_t started_ns = 0;
  bool keeps_descriptors = false;     ///< A service manager holds the ports over a restart.
  std::vector<std::string> warnings;  ///< Found at the start; constant after it.
  Liveness liveness;
  int stop_event = -1;                ///< eventfd: wakes the estop thread at once.
  std::atomic<bool> stopping{false};  ///< The service was asked to end.
  std::atomic<bool> end{false};       ///< Threads leave their loops.
  std::atomic<bool> board_lost{false};
  std::atomic<bool> blind_alarm{false};  ///< Monitor: a printer is blind while hot.
  std::atomic<std::int64_t> silenced_until_ns{0};
  std::atomic<std::uint32_t> host_reset_request{0};  ///< The latch number typed, or 0.
  std::atomic<std::uint32_t> forget_restarts{0};
  std::atomic<bool> alarm_on{false};
  std::atomic<std::uint32_t> slot_request{0};  ///< Counts: the slots should be written.
  Seqlock<HostMemory> host_seen;

  /// Raises causes on a printer and wakes the estop thread. Any thread; never blocks.
  void raise(PrinterRuntime& printer, CauseSet causes) noexcept;
  /// Wakes the estop thread without a cause (a request was posted).
  void wake_estop() noexcept;
  [[nodiscard]] PrinterRuntime* find(std::string_view name) noexcept;
};

/// CLOCK_MONOTONIC in nanoseconds: the guard's threads outside the seams read this one clock.
std::int64_t monotonic_ns() noexcept;

}  // namespace firebreak::guard
