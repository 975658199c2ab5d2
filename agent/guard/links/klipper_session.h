#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/guard/config/guard_config.h"
#include "agent/guard/core/shared.h"
#include "agent/guard/links/klipper_messages.h"
#include "agent/guard/links/link_events.h"
#include "common/base/clock.h"

namespace firebreak::guard::klipper {

/// What the guard says to klippy and makes of its answers: a state machine that is told the time
/// and given bytes, and publishes into PrinterShared. It does no I/O. One thread; it allocates, so
/// it is no part of what gates the pulses: where it fails, the printer is blind.
///
/// - Klippy's state counts, not its temperatures: in shutdown it repeats the last target and power
///   for ever, and after a lost MCU the last temperature too (recorded). There only a temperature
///   that has changed counts as a reading, and the target is 0, because the MCU's heaters are off.
/// - A shutdown is the acknowledgement of a stop. `ready` after anything else is a boot.
/// - A push holds what has changed; it says of everything else that it has not.
class Session {
 public:
  Session(const PrinterConfig& config, PrinterShared& shared, LinkEvents& events);

  /// A connection to klippy's socket stands.
  void opened(MonotonicTime now);
  /// There is none (any more). `blocked`: the socket is there and refuses us.
  void lost(std::string_view why, bool blocked, MonotonicTime now);
  /// Bytes of klippy, cut anywhere.
  void received(std::string_view bytes, MonotonicTime now);
  /// Questions that are due; to be called at least every 250 ms.
  void tick(MonotonicTime now);

  /// Whole messages to write, oldest first; taken at once.
  std::vector<std::string> take_output();
  /// Klippy broke the protocol: the connection is to be dropped.
  [[nodiscard]] bool broken() const noexcept { return broken_; }
  /// Klippy has said nothing that can be understood for 10 s: a new connection may cure it.
  [[nodiscard]] bool silent(MonotonicTime now) const noexcept;

 private:
  void on_message(std::string_view text, MonotonicTime now);
  void on_answer(const Message& message, std::string_view text, MonotonicTime now);
  void on_settings(std::string_view text, MonotonicTime now);
  void on_state(HostState state, std::string_view words, MonotonicTime now);
  void on_status(const Message& message, MonotonicTime now);
  void store_status(const Message& message, MonotonicTime now);
  void check_identity(MonotonicTime now);
  void follow_orders(MonotonicTime now);
  void follow_revival(MonotonicTime now);
  void become(LinkState state, std::string_view why);
  void follow_silence(MonotonicTime now);
  void end_silence();
  void raise(std::uint32_t events) noexcept { shared_.events.fetch_or(events); }
  void note(LinkNote kind, NoteSeverity severity, std::string_view text, std::string_view quoted,
            MonotonicTime now) {
    notebook_.note(kind, severity, text, quoted, now);
  }
  [[nodiscard]] bool subscribed() const noexcept { return subscribed_at_ != MonotonicTime{}; }

  const PrinterConfig& config_;
  PrinterShared& shared_;
  LinkNotebook notebook_;

  std::string unfinished_;
  std::vector<std::string> output_;
  bool connected_ = false;
  bool broken_ = false;
  bool was_ready_ = false;  ///< On this or an earlier connection.
  bool boot_told_ = true;   ///< The next `ready` is no boot: nothing else was seen before it.
  HostState state_ = HostState::unknown;
  HeaterNames names_;
  FirmwareSettings settings_;
  std::string software_, hostname_;
  PrinterReadings readings_;
  std::array<HeaterStatus, max_heaters> told_{};  ///< What klippy last said of each heater.
  std::array<MonotonicTime, max_heaters> stored_at_{};
  MonotonicTime asked_at_{};
  MonotonicTime heard_at_{};  ///< Of the last message that could be understood.
  bool info_asked_ = false;   ///< And not answered: a slow klippy is not asked a second time.
  bool junk_heard_ = false;   ///< Since `heard_at_`.
  bool mute_ = false;         ///< The link is absent only because klippy says nothing.
  LinkState before_mute_ = LinkState::absent;
  LinkDetail why_before_mute_;
  MonotonicTime subscribed_at_{};
  bool verified_ = false;
  std::uint32_t orders_sent_ = 0;
  std::uint32_t revivals_seen_ = 0;
  MonotonicTime revival_at_{};
  MonotonicTime restart_asked_at_{};
};

}  // namespace firebreak::guard::klipper
