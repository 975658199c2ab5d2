#pragma once

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <type_traits>
#include <utility>

#include "agent/guard/blackbox/spsc_queue.h"
#include "common/base/clock.h"
#include "common/base/escape.h"

namespace firebreak::guard {

/// What an event is about. to_string() gives the protocol's word.
enum class EventKind : std::uint8_t {
  trip,        ///< A verdict, press or request became a latch.
  stop_pass,   ///< What one pass of the stop thread did, with its times.
  state,       ///< A printer went from one state to another.
  reset,       ///< A reset was accepted or refused.
  release,     ///< A person released a printer from probation, or was refused.
  press,       ///< A button or contact changed.
  relay,       ///< A relay was commanded, or its feedback changed or did not.
  link,        ///< A port came, went or was refused.
  store,       ///< The black box itself: put aside, recovered, full.
  guard,       ///< The process: start, stop, restart, a late thread.
  identity,    ///< A printer said who it is.
  config,      ///< A configuration was loaded or refused.
  command,     ///< A request of a person or the coordinator.
  loss,        ///< Events or samples were lost; says how many.
  warning,     ///< A detector or check warns, nothing was stopped.
  commission,  ///< A step of commissioning.
  alarm,       ///< The local alarm output was switched or silenced.
  network,     ///< The uplink's own events.
  count
};

enum class Severity : std::uint8_t { info, warning, alarm };

[[nodiscard]] std::string_view to_string(EventKind kind) noexcept;
[[nodiscard]] std::string_view to_string(Severity severity) noexcept;

/// No printer in particular.
inline constexpr std::int16_t no_printer = -1;

/// One event on its way to the disk: fixed size, plain memory, made and pushed without
/// allocation. What does not fit is cut, never refused.
struct BlackBoxRecord {
  static constexpr std::size_t text_bytes = 176;
  static constexpr std::size_t data_bytes = 160;
  static constexpr std::size_t numbers_max = 7;

  union Value {
    std::int64_t integer;
    double real;
  };

  EventKind kind = EventKind::guard;
  Severity severity = Severity::info;
  std::int16_t printer = no_printer;  ///< Index in the configuration's order.
  std::uint8_t text_size = 0;
  std::uint8_t data_size = 0;
  std::uint8_t number_count = 0;
  std::uint8_t real_mask = 0;  ///< Bit i: numbers[i] is a real.
  std::int64_t mono_ns = 0;
  std::int64_t wall_ms = 0;                     ///< Since 1970, as the clock said; for people.
  std::array<const char*, numbers_max> keys{};  ///< Literals: they must live for ever.
  std::array<Value, numbers_max> numbers{};
  std::array<char, text_bytes> text{};
  /// An optional JSON object (its members join the numbers); see set_data().
  std::array<char, data_bytes> data{};

  /// One sentence for people. `sentence` is ours (UTF-8); what others wrote goes through
  /// escape_untrusted() first.
  BlackBoxRecord& set_text(std::string_view sentence) noexcept {
    text_size = static_cast<std::uint8_t>(std::min(sentence.size(), text_bytes));
    sentence.copy(text.data(), text_size);
    return *this;
  }
  /// The same from a format; does not allocate for numbers and text.
  template <class... Args>
  BlackBoxRecord& format_text(fmt::format_string<Args...> format, Args&&... args) noexcept {
    const auto end = fmt::format_to_n(text.data(), text_bytes, format, std::forward<Args>(args)...);
    text_size = static_cast<std::uint8_t>(std::min<std::size_t>(end.size, text_bytes));
    return *this;
  }
  /// Adds `key`: value to the event's data; ignored when all places are taken.
  template <class T>
  requires std::is_arithmetic_v<T> || std::is_enum_v<T> BlackBoxRecord& add(const char* key,
                                                                            T value) noexcept {
    if (number_count >= numbers_max) return *this;
    keys[number_count] = key;
    if constexpr (std::is_floating_point_v<T>) {
      numbers[number_count].real = value;
      real_mask = static_cast<std::uint8_t>(real_mask | (1U << number_count));
    } else {
      numbers[number_count].integer = static_cast<std::int64_t>(value);
    }
    ++number_count;
    return *this;
  }
  /// A small JSON object such as {"cause":"button","line":"e-stop"}. Larger than data_bytes or not
  /// JSON: the store keeps it as escaped text under "raw".
  BlackBoxRecord& set_data(std::string_view json_object) noexcept {
    data_size = static_cast<std::uint8_t>(std::min(json_object.size(), data_bytes));
    json_object.copy(data.data(), data_size);
    return *this;
  }
  template <class... Args>
  BlackBoxRecord& format_data(fmt::format_string<Args...> format, Args&&... args) noexcept {
    const auto end = fmt::format_to_n(data.data(), data_bytes, format, std::forward<Args>(args)...);
    data_size = static_cast<std::uint8_t>(std::min<std::size_t>(end.size, data_bytes));
    return *this;
  }
};
static_assert(sizeof(BlackBoxRecord) <= 512, "queues of records must stay small");
static_assert(BlackBoxRecord::text_bytes <= 255 && BlackBoxRecord::data_bytes <= 255);

/// A record with its times filled in from the clock. Allocates nothing.
[[nodiscard]] inline BlackBoxRecord make_record(const Clock& clock, EventKind kind,
                                                Severity severity,
                                                std::int16_t printer = no_printer) noexcept {
  BlackBoxRecord record;
  record.kind = kind;
  record.severity = severity;
  record.printer = printer;
  record.mono_ns = clock.now().time_since_epoch().count();
  record.wall_ms = clock.wall().time_since_epoch().count();
  return record;
}

/// One reading of one heater, once a second. NaN = unknown.
struct Sample {
  std::int64_t mono_ns = 0;
  std::int64_t wall_ms = 0;
  std::uint16_t printer = 0;  ///< Index in the configuration's order.
  std::uint16_t heater = 0;   ///< Index among the printer's heaters.
  float celsius = std::numeric_limits<float>::quiet_NaN();
  float target_celsius = std::numeric_limits<float>::quiet_NaN();
  float duty = std::numeric_limits<float>::quiet_NaN();  ///< 0 … 1.
};

using EventQueue = SpscQueue<BlackBoxRecord>;
using SampleQueue = SpscQueue<Sample>;

}  // namespace firebreak::guard
