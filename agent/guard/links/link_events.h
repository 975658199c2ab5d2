#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/base/clock.h"

namespace firebreak::guard {

/// What a link reports for the black box. The text is one escaped sentence for people.
enum class LinkNote : std::uint8_t {
  port_opened,
  port_adopted,  ///< Taken over from the run before, without opening it.
  port_lost,
  port_blocked,  ///< Another process holds it; the text names it.
  port_refused,  ///< It cannot be opened or set up.
  identified,
  wrong_printer,
  halted,          ///< The firmware said that it has halted.
  firmware_fault,  ///< The firmware's own thermal fault; the text holds its words.
  booted,
  forged_report,   ///< A report that nobody asked for contradicts the printer's own.
  foreign_answer,  ///< Acknowledgements of lines that were not sent through here.
  host_attached,
  host_detached,
  host_refused,     ///< A host's line was held back; the text holds the line.
  host_overrun,     ///< The host does not read; printer lines to it were dropped.
  line_followed,    ///< The host changed baud rate or stop bits, and so did the port.
  revival,          ///< DTR was pulsed, or could not be.
  junk,             ///< Lines that were too long or damaged.
  weak_protection,  ///< The firmware's own protection is off or weakened, or a heater is unwatched.
};

enum class NoteSeverity : std::uint8_t { info, warning, alarm };

/// One record, of fixed size so that the link's thread need not allocate.
struct LinkRecord {
  LinkNote note = LinkNote::junk;
  NoteSeverity severity = NoteSeverity::info;
  std::int64_t at_ns = 0;  ///< CLOCK_MONOTONIC.
  std::uint8_t text_size = 0;
  std::array<char, 200> text{};

  [[nodiscard]] std::string_view view() const noexcept { return {text.data(), text_size}; }
};

/// Takes the records of one printer's link. Called on the link's thread: must not block, lock,
/// allocate or throw; a full queue drops and counts.
class LinkEvents {
 public:
  virtual ~LinkEvents() = default;
  virtual void note(const LinkRecord& record) noexcept = 0;
};

/// Writes a link's notes: escaped, cut to fit, and the same kind at most each 5 s (alarms: each
/// second). Link thread only; no allocation.
class LinkNotebook {
 public:
  explicit LinkNotebook(LinkEvents& events) noexcept : events_(events) {}

  /// `text` is ours, `quoted` is the printer's or the system's and is escaped.
  void note(LinkNote kind, NoteSeverity severity, std::string_view text, std::string_view quoted,
            MonotonicTime now) noexcept;

 private:
  LinkEvents& events_;
  std::array<MonotonicTime, 32> noted_at_{};
};

}  // namespace firebreak::guard
