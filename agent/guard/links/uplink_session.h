#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "agent/guard/config/guard_config.h"
#include "agent/guard/core/shared.h"
#include "agent/guard/links/link_events.h"
#include "common/base/clock.h"

namespace firebreak::guard {

/// What the uplink says of a network printer, line by line (docs/protocol.md, "Printers' lines"),
/// made into readings and events. The uplink is not trusted: it can make a printer stop, and it can
/// make it look hotter or silent; an age that it leaves out makes a reading that does not count.
/// No I/O. One thread; allocates, so it is no part of what gates the pulses.
class UplinkSession {
 public:
  /// Longest line, without its line feed.
  static constexpr std::size_t line_bytes_max = 4096;
  /// Nothing heard for this long: the uplink counts as dead.
  static constexpr std::chrono::seconds silence_max{3};

  UplinkSession(const PrinterConfig& config, PrinterShared& shared, LinkEvents& events);

  void opened(MonotonicTime now);
  void lost(std::string_view why, MonotonicTime now);
  /// Bytes of the uplink, cut anywhere. False: a line that is none, and the connection is to be
  /// dropped.
  [[nodiscard]] bool received(std::string_view bytes, MonotonicTime now);

  /// A line for the uplink that is due now, or empty.
  std::string next_output(MonotonicTime now);
  [[nodiscard]] bool silent(MonotonicTime now) const noexcept {
    return now - heard_at_ > silence_max;
  }

 private:
  bool on_line(std::string_view line, MonotonicTime now);
  void on_link(LinkState state, const nlohmann::json& value, MonotonicTime now);
  void become(LinkState state, std::string_view why);

  const PrinterConfig& config_;
  PrinterShared& shared_;
  LinkNotebook notebook_;
  std::string unfinished_;
  PrinterReadings readings_;
  LinkState state_ = LinkState::absent;
  MonotonicTime heard_at_{};
  std::int64_t reading_at_ns_ = 0;
  bool wrong_told_ = false;
  std::uint32_t revival_asked_ = 0;
  MonotonicTime revival_at_{};
};

}  // namespace firebreak::guard
