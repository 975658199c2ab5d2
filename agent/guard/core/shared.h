#pragma once

#include <array>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "agent/guard/machine/cause.h"

namespace firebreak::guard {

/// Limits of one guard; a host has few printers and they few heaters.
inline constexpr std::size_t max_printers = 32;
inline constexpr std::size_t max_heaters = 6;  ///< Four tools, bed, chamber.
inline constexpr float unknown = std::numeric_limits<float>::quiet_NaN();

/// What a printer last said of one heater. Unknown values are NaN, never 0.
struct HeaterReading {
  float celsius = unknown;
  float target_celsius = unknown;
  float duty = unknown;            ///< 0…1, or NaN where the firmware does not say.
  std::int64_t celsius_at_ns = 0;  ///< CLOCK_MONOTONIC of the last temperature; 0 = never.
  std::int64_t target_at_ns = 0;
  std::uint32_t reports = 0;  ///< Counts temperatures, so that a reader sees a new one.
};

struct PrinterReadings {
  std::array<HeaterReading, max_heaters> heaters{};  ///< In the order of the profile's heaters.
  std::int64_t line_at_ns = 0;                       ///< Last complete line of any kind.
  std::int64_t temperature_at_ns = 0;                ///< Last line with a temperature.
  std::int64_t busy_at_ns = 0;                       ///< Last `busy:` or `wait`.
  float fan = unknown;             ///< Part fan 0…1 as commanded through the proxy.
  float flow_mm3_per_s = unknown;  ///< Plastic that the host's moves extrude.
  std::uint32_t bad_lines = 0;     ///< Lines that could not be understood or were junk.
  std::uint32_t lines = 0;
};

/// What M115 said, escaped and cut to fit.
struct PrinterIdentity {
  char firmware[96] = {};
  char machine[64] = {};
  char uuid[48] = {};
};

/// One writer, many readers, no lock: a reader that meets a writer tries again, at most
/// `max_tries` times, and then keeps its older copy (returns false). Any thread may read.
template <class T>
class Seqlock {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  static constexpr int max_tries = 64;

  /// Starts with a default T: what nobody has written yet is unknown, not zero.
  Seqlock() noexcept { copy_in(T{}); }

  /// Only the one writing thread may call this.
  void store(const T& value) noexcept {
    const auto sequence = sequence_.load(std::memory_order_relaxed);
    sequence_.store(sequence + 1, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_release);
    copy_in(value);
    sequence_.store(sequence + 2, std::memory_order_release);
  }

  /// Copies the newest complete value into `value`; false, and `value` untouched, if the writer
  /// was in the way each time.
  bool load(T& value) const noexcept {
    for (int attempt = 0; attempt < max_tries; ++attempt) {
      const auto before = sequence_.load(std::memory_order_acquire);
      if (before & 1U) continue;
      T copy;
      copy_out(copy);
      std::atomic_thread_fence(std::memory_order_acquire);
      if (sequence_.load(std::memory_order_relaxed) == before) {
        value = copy;
        return true;
      }
    }
    return false;
  }

 private:
  static constexpr std::size_t words = (sizeof(T) + 7) / 8;

  // Word-wise relaxed atomics keep the race defined (and the thread sanitizer honest).
  void copy_in(const T& value) noexcept {
    std::array<std::uint64_t, words> raw{};
    __builtin_memcpy(raw.data(), &value, sizeof(T));
    for (std::size_t i = 0; i < words; ++i) words_[i].store(raw[i], std::memory_order_relaxed);
  }
  void copy_out(T& value) const noexcept {
    std::array<std::uint64_t, words> raw;
    for (std::size_t i = 0; i < words; ++i) raw[i] = words_[i].load(std::memory_order_relaxed);
    __builtin_memcpy(static_cast<void*>(&value), raw.data(), sizeof(T));
  }

  std::atomic<std::uint32_t> sequence_{0};
  std::array<std::atomic<std::uint64_t>, words> words_{};
};

/// One line of G-code of the guard's own, for a commissioning. Plain data.
struct OwnOrder {
  std::uint32_t serial = 0;   ///< Counts orders; 0 = none yet.
  std::int64_t until_ns = 0;  ///< CLOCK_MONOTONIC: not sent after this, so that none is stale.
  char line[32] = {};         ///< Without line feed, zero-ended.
};

/// The gains of a heater's controller as the firmware told them last. NaN = never told.
struct PidValues {
  float p = unknown, i = unknown, d = unknown;
};
struct ControllerValues {
  PidValues hotend;  ///< M301.
  PidValues bed;     ///< M304.
};

/// Where a printer's link stands. Only `ready` and `halted` carry readings that count.
enum class LinkState : std::uint32_t {
  absent,         ///< The port does not exist or was unplugged.
  opening,        ///< Open; waiting for the firmware.
  identifying,    ///< Asked M115, no answer yet.
  ready,          ///< The expected printer answers.
  halted,         ///< The firmware said that it has halted (`kill()`).
  wrong_printer,  ///< Another printer answers, or the identity is ambiguous.
  blocked,        ///< Another process holds the port, or refuses us.
  misconfigured,  ///< Klipper runs and refuses its own configuration.
};

/// What the firmware is configured to allow for one heater, where it can be read (Klipper).
struct FirmwareLimit {
  enum class Verify : std::uint32_t {
    unknown,
    kept,      ///< Its own check is at least as strict as Klipper's defaults.
    weakened,  ///< Looser than the defaults.
    absent,
  };
  float max_celsius = unknown;
  Verify verify = Verify::unknown;
};
using FirmwareLimits = std::array<FirmwareLimit, max_heaters>;

/// Why a link stands where it stands, for people: one escaped sentence, or empty.
struct LinkDetail {
  char text[120] = {};
};

/// Things that a link saw once. Set by the link with fetch_or, taken by the monitor with exchange.
namespace link_event {
inline constexpr std::uint32_t halt_text = 1U << 0;          ///< `Printer halted`, kill() text.
inline constexpr std::uint32_t thermal_fault = 1U << 1;      ///< The firmware's own thermal error.
inline constexpr std::uint32_t boot_banner = 1U << 2;        ///< `start` or another greeting.
inline constexpr std::uint32_t target_zero = 1U << 3;        ///< All targets read back as 0.
inline constexpr std::uint32_t target_positive = 1U << 4;    ///< Some target > 0 from any source.
inline constexpr std::uint32_t duty_positive = 1U << 5;      ///< Some duty > 0 reported.
inline constexpr std::uint32_t wrong_identity = 1U << 6;     ///< M115 does not match.
inline constexpr std::uint32_t identity_verified = 1U << 7;  ///< M115 matches (again).
inline constexpr std::uint32_t port_lost = 1U << 8;          ///< Hang-up or read error.
inline constexpr std::uint32_t foreign_traffic = 1U << 9;    ///< Answers to questions nobody asked.
inline constexpr std::uint32_t host_refused = 1U << 10;      ///< The allowlist held a host's line.
inline constexpr std::uint32_t host_heats = 1U << 11;        ///< A host's line for heat has passed.
}  // namespace link_event

/// What the machine asks of a link; the link obeys before it writes anything else.
enum class LinkMode : std::uint32_t {
  pass,       ///< Bytes pass both ways.
  latched,    ///< Only the allowlist passes; baud and DTR changes of the host do not.
  probation,  ///< Like latched: heat and motion of the host refused.
  hold,       ///< Host bytes are held back (DTR revival).
};

/// In which form the firmware takes its bytes now: what a stop must begin with to be read at all.
enum class StreamForm : std::uint32_t {
  text,
  packed,  ///< MeatPack: turned off first.
  upload,  ///< Lines go into a file (M28), and a plain M112 is refused: the file is closed first.
  binary,  ///< Packets (M28 B1): the link sends what ends them, see LinkCore.
};

/// The meeting place of one printer's threads. Each field has one writer, or is a set of bits
/// that anyone may raise with fetch_or. Nothing in here blocks.
struct PrinterShared {
  // Written by the link's thread.
  std::atomic<int> port_fd{-1};  ///< Live raw descriptor, O_NONBLOCK; -1 while there is none.
  std::atomic<LinkState> link_state{LinkState::absent};
  Seqlock<PrinterReadings> readings;
  Seqlock<PrinterIdentity> identity;
  Seqlock<LinkDetail> detail;
  Seqlock<FirmwareLimits> firmware_limits;  ///< In the profile's order of heaters.
  std::atomic<std::uint32_t> events{0};     ///< link_event bits; the monitor takes them.
  std::atomic<std::int64_t> link_alive_ns{0};
  std::atomic<std::uint32_t> host_attached{0};  ///< 1 while a host holds the pty.
  std::atomic<std::uint32_t> printing{0};       ///< 1 while a host streams motion.
  /// 1 while a network printer's firmware is known to protect itself (its profile was checked).
  std::atomic<std::uint32_t> protection_verified{0};
  std::atomic<std::uint32_t> revival_done{0};  ///< Counts finished revivals (DTR pulse + hold).
  std::atomic<std::uint32_t> foreign_bytes{0};
  std::atomic<StreamForm> stream_form{StreamForm::text};
  std::atomic<std::uint32_t> own_order_done{0};  ///< Serial of the last acknowledged OwnOrder.
  Seqlock<ControllerValues> controllers;

  // Written by the commissioning thread.
  /// 1 while the guard heats by itself: the host keeps its questions, and nothing else of it
  /// passes.
  std::atomic<std::uint32_t> commissioning{0};
  Seqlock<OwnOrder> own_order;

  // Written by the estop thread (the machine).
  std::atomic<LinkMode> link_mode{LinkMode::latched};
  std::atomic<std::uint32_t> revival_request{0};   ///< Counts requested revivals.
  std::atomic<std::uint32_t> no_new_heat{0};       ///< Reasons as bits; 0 = heat allowed.
  std::atomic<std::uint32_t> stop_bytes_taken{0};  ///< Bytes of stop sequences the port took.

  // Raised by anyone, taken by the estop thread.
  std::atomic<CauseSet> trips{0};
};

}  // namespace firebreak::guard
