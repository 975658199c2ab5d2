#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "agent/guard/machine/cause.h"

namespace firebreak::guard::machine {

/// States of one printer, as docs/safety.md describes them. Stored in mapped memory: the numbers
/// are frozen.
enum class State : std::uint8_t {
  boot = 0,
  watch = 1,
  armed = 2,
  stopping = 3,
  cutting = 4,
  not_cut = 5,
  tripped = 6,
  probation = 7,
  parked = 8,
};
inline constexpr std::size_t state_count = 9;
std::string_view name(State state) noexcept;

/// Steps inside PROBATION, in order.
enum class Phase : std::uint8_t { none, reviving, watching, settling, clean };
std::string_view name(Phase phase) noexcept;

/// What is known of the end of heat after a stop. Never shown better than it is.
enum class Outcome : std::uint8_t { none, not_sent, sent, proven };
std::string_view name(Outcome outcome) noexcept;

/// Reasons of the permissive "no new heat", beside the states.
namespace no_new_heat {
inline constexpr std::uint32_t watch_ended = 1U << 0;
}  // namespace no_new_heat

/// Times of the safety concept (docs/safety.md gives the reason of each).
namespace times {
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
inline constexpr milliseconds acknowledge{1500};
inline constexpr milliseconds silence_after_acknowledge{3000};
inline constexpr milliseconds feedback{200};
inline constexpr milliseconds first_repeat{250};
inline constexpr std::uint32_t fast_repeats = 20;
inline constexpr milliseconds slow_repeat{1000};
inline constexpr milliseconds not_cut_retry{1000};
inline constexpr milliseconds resume{800};
inline constexpr seconds relay_open_minimum{10};
inline constexpr std::uint32_t closings_an_hour = 6;
inline constexpr seconds report_grace{15};  ///< Beside the profile's boot time.
inline constexpr seconds clean{60};
inline constexpr milliseconds heaters_off_repeat{1000};
inline constexpr hours watch_default{24};
inline constexpr hours watch_longest{7 * 24};
inline constexpr minutes park_window{10};
inline constexpr std::uint32_t park_restarts = 3;
inline constexpr milliseconds longest_window{60'000};  ///< A longer proof is not provable.
static_assert(resume < milliseconds{1000}, "resume is shorter than the shortest hold");
}  // namespace times

/// All that the machine remembers of one printer. Plain bytes: it lives in mapped memory and
/// survives a restart of the guard. Times are CLOCK_MONOTONIC nanoseconds, 0 = not running.
struct Memory {
  State state = State::boot;
  State resume = State::boot;  ///< In BOOT: the state before the restart.
  Phase phase = Phase::none;
  Outcome outcome = Outcome::none;
  bool relay_closed = false;  ///< What the machine has ordered; a group closes only together.
  bool dtr_used = false;      ///< The DTR rung is taken once a latch.
  bool acknowledged = false;
  std::uint8_t first_cause = 0;
  CauseSet causes = 0;
  std::uint32_t generation = 0;  ///< The latch number that a person types.
  std::uint32_t repeats = 0;
  std::uint32_t no_new_heat = 0;
  std::uint32_t reserved = 0;
  std::int64_t entered_ns = 0;  ///< When this state began.
  std::int64_t stopped_ns = 0;  ///< When the present (or last) stop began.
  std::int64_t acknowledge_due_ns = 0;
  std::int64_t window_due_ns = 0;
  std::int64_t feedback_due_ns = 0;
  std::int64_t send_due_ns = 0;
  std::int64_t watch_until_ns = 0;
  std::int64_t report_due_ns = 0;
  std::int64_t clean_due_ns = 0;
  std::int64_t opened_ns = 0;
  std::int64_t closed_ns = 0;
  std::array<std::int64_t, times::closings_an_hour> closings_ns{};
};

enum class Feedback : std::uint8_t { none, open, closed };

/// What a start of the guard found.
enum class Start : std::uint8_t {
  running,    ///< Not starting.
  resumed,    ///< Memory is valid and the last pulse is recent.
  lapsed,     ///< Memory is valid, but the last pulse is too old.
  new_boot,   ///< The host has booted; slots are readable.
  bad_slot,   ///< No slot could be read.
  too_often,  ///< Third restart within the parking window.
};

/// What is true now, gathered from the other threads before each step. Every fact defaults to the
/// one that stops.
struct Facts {
  std::int64_t now_ns = 0;
  Start start = Start::running;
  CauseSet trips = 0;  ///< Raised since the last step; each is seen by exactly one step.

  bool has_relay = false;
  bool covered = false;  ///< The relay de-energises every heater of the printer.
  Feedback feedback = Feedback::none;
  bool feedback_settled = false;  ///< The limit below has passed since the last command.
  std::int64_t feedback_limit_ns = 200'000'000;  ///< Hold time + 200 ms without a drop line.

  bool acknowledged = false;      ///< Halt text, or target 0 read back, since the stop.
  bool unreachable = true;        ///< Nobody took the stop: no socket, no uplink. Never serial.
  bool silent = true;             ///< Nothing heard for `silence_after_acknowledge`.
  bool cooled = false;            ///< Cooling (or cold) on the printer's own sensor since the stop.
  bool cooled_elsewhere = false;  ///< The same by a source that no verdict doubts.
  bool risen = false;             ///< More than 3 K since the stop (5 K on probation).
  bool target_positive = false;
  bool sign_of_heat = false;   ///< Heat, duty, target, banner or revival while latched.
  std::int64_t window_ns = 0;  ///< Cooling window of this stop; 0 = not provable.
  bool dtr_rung = false;       ///< No relay, and the profile allows a DTR pulse as a stop.

  bool hot = true;
  bool pulses_lapsed = false;  ///< No pulse for longer than `resume`.
  bool service_stopping = false;
  bool relay_found_open = false;  ///< Ordered closed, and feedback reads open for 500 ms.
  bool host_latched = true;

  bool reset = false;  ///< A valid reset: rights, number, released inputs, safe printer.
  bool release = false;
  bool arm = false;
  bool watch = false;
  std::int64_t watch_ns = 0;
  bool unpark = false;
  bool group_ready = false;  ///< No other member of the relay's group is latched.

  bool recorded_cold = false;  ///< NEW_BOOT: the slot says cold and idle for 30 minutes before.
  bool revived = false;        ///< Revival by kind is done, or not needed.
  bool first_report = false;   ///< A trusted report since the relay closed.
  std::int64_t boot_time_ns = 0;
};

/// What a row of the table does, beside going to its state.
namespace effect {
inline constexpr std::uint32_t latch = 1U << 0;       ///< Adds the trips to the causes.
inline constexpr std::uint32_t open = 1U << 1;        ///< Relay open; it never closes by this.
inline constexpr std::uint32_t send_stop = 1U << 2;   ///< Stop bytes now, repeats begin.
inline constexpr std::uint32_t resend = 1U << 3;      ///< The next repeat of what is being sent.
inline constexpr std::uint32_t start_stop = 1U << 4;  ///< Deadlines of a software stop.
inline constexpr std::uint32_t start_cut = 1U << 5;   ///< Deadline of the feedback.
inline constexpr std::uint32_t prove = 1U << 6;
inline constexpr std::uint32_t unproven = 1U << 7;
inline constexpr std::uint32_t dtr = 1U << 8;
inline constexpr std::uint32_t start_watch = 1U << 9;
inline constexpr std::uint32_t end_watch = 1U << 10;
inline constexpr std::uint32_t allow_heat = 1U << 11;
inline constexpr std::uint32_t revive = 1U << 12;
inline constexpr std::uint32_t close = 1U << 13;  ///< The only effect that closes a relay.
inline constexpr std::uint32_t settle = 1U << 14;
inline constexpr std::uint32_t finish = 1U << 15;
inline constexpr std::uint32_t unlatch = 1U << 16;
inline constexpr std::uint32_t acknowledge = 1U << 17;
inline constexpr std::uint32_t again = 1U << 18;  ///< Another row may follow in the same pass.
}  // namespace effect

/// When a row applies. Each is one sentence about memory and facts; see conditions.cc.
enum class When : std::uint8_t {
  immediate_trip,
  software_trip,
  any_trip,
  started_too_often,
  started_bad_slot,
  started_new_boot,
  started_lapsed,
  resumed_open,
  resumed_armed,
  resumed_watch,
  resumed_stopping,
  resumed_cutting,
  resumed_not_cut,
  resumed_tripped,
  resumed_probation,
  resumed_parked,
  stopping_hot,
  pulses_lapsed,
  relay_found_open,
  watch_asked,
  watch_over,
  arm_asked,
  acknowledged,
  proven,
  unreachable,
  not_acknowledged,
  fell_silent,
  window_over,
  risen,
  target_back,
  feedback_open,
  feedback_live,
  not_verifiable_dtr,
  not_verifiable,
  heat_while_latched,
  live_while_open,
  reset_valid,
  repeat_due,
  report_late,
  heat_on_probation,
  may_close,
  reported,
  clean_over,
  released,
  unparked,
  count
};

/// One line of the table: in one of `from`, when `when` holds, go to `to` and do `effects`.
struct Row {
  std::string_view name;  ///< Reads as a sentence; tests and logs use it.
  std::uint16_t from;     ///< States as bits.
  When when;
  State to;
  std::uint32_t effects;
  CauseSet raises = 0;  ///< Causes that the row itself adds.
};

constexpr std::uint16_t in(State state) noexcept {
  return static_cast<std::uint16_t>(1U << static_cast<unsigned>(state));
}

/// The table that the guard links: the only place that decides. Rows are tried in order and the
/// first that applies wins, so the worst comes first.
std::span<const Row> table() noexcept;

/// The table as text for people: one line a row.
std::string print(std::span<const Row> rows);

/// Bytes that a step asks for.
enum class Send : std::uint8_t { nothing, stop, heaters_off };

/// What one step did and asks for at once. Levels (relay, alarm, link) follow from the memory.
struct Decision {
  const Row* row = nullptr;  ///< Null: no row applied, nothing changed.
  Send send = Send::nothing;
  bool dtr = false;
  bool revive = false;
};

/// Applies the first row that holds, at most one. Pure: reads and writes nothing but its
/// arguments, never allocates, constant time. `facts.trips` is consumed by the row that takes it.
Decision step(std::span<const Row> rows, Memory& memory, Facts& facts) noexcept;

/// Puts a memory that an earlier run left into BOOT, keeping what it was.
void begin_start(Memory& memory) noexcept;

/// Levels that follow from the memory alone.
bool latched(const Memory& memory) noexcept;  ///< Nothing of the host but the allowlist passes.
bool alarm(const Memory& memory) noexcept;    ///< The local alarm output sounds.

/// May this state be woken by time alone, and when? The earliest running deadline; 0 = none.
std::int64_t next_deadline_ns(const Memory& memory) noexcept;

/// When the relay may close again: ten seconds open, and six closings an hour at most, for
/// contactors and power supplies wear by switching.
std::int64_t relay_rests_until_ns(const Memory& memory) noexcept;

/// The condition of a row; public so that the table can be searched and printed.
bool holds(When when, const Memory& memory, const Facts& facts) noexcept;
std::string_view name(When when) noexcept;

}  // namespace firebreak::guard::machine
