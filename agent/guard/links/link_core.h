#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "agent/guard/config/guard_config.h"
#include "agent/guard/core/descriptor_keeper.h"
#include "agent/guard/core/shared.h"
#include "agent/guard/links/answer_queue.h"
#include "agent/guard/links/heater_map.h"
#include "agent/guard/links/identity.h"
#include "agent/guard/links/line_splitter.h"
#include "agent/guard/links/link_events.h"
#include "agent/guard/links/report_judge.h"
#include "agent/guard/links/serial_port.h"
#include "agent/guard/proxy/extrusion_tracker.h"
#include "agent/guard/proxy/host_gate.h"
#include "agent/guard/proxy/host_port.h"
#include "agent/guard/proxy/host_stream.h"
#include "common/base/clock.h"

namespace firebreak::guard {

/// The link of one printer without its thread: a state machine that is told the time, reads and
/// writes only through its two seams, and publishes into PrinterShared. After start() it allocates
/// only where a port is opened anew. Not thread-safe: one thread calls everything.
class LinkCore final : private HostLineObserver {
 public:
  /// Bytes that may wait in the kernel's output queue, so that a stop goes before all others:
  /// what a line of this speed sends in 2.5 ms, within these bounds. On a slow line the lower one
  /// counts, one packet of USB: 5.6 ms at 115,200 baud.
  static constexpr std::size_t least_queued = 64, most_queued = 256;
  [[nodiscard]] static std::size_t queue_limit(const LineSettings& line) noexcept;

  LinkCore(const PrinterConfig& config, PrinterShared& shared, SerialPort& port, HostPort& host,
           DescriptorKeeper& keeper, LinkEvents& events);

  /// Adopts the port that an earlier run left, or opens it. `host_adopted`: the host's pty is that
  /// of an earlier run too, so a line of the host may have been cut in two.
  void start(MonotonicTime now, bool host_adopted);

  void port_readable(MonotonicTime now);
  void host_readable(MonotonicTime now);

  /// Timers, questions, output. To be called at least every wait(now), and after any of the above.
  void tick(MonotonicTime now);

  /// True while bytes of the host would be taken (else the host waits: back-pressure).
  [[nodiscard]] bool wants_host(MonotonicTime now) noexcept;
  /// Longest time until the next tick().
  [[nodiscard]] std::chrono::nanoseconds wait(MonotonicTime now) noexcept;
  [[nodiscard]] int port_fd() const noexcept { return port_.fd(); }

 private:
  enum class Command : std::uint8_t {
    none,
    ask_temperature,
    ask_identity,
    ask_settings,
    autoreport_on,
    own_order
  };

  // link_core.cc: the port and who is behind it.
  void open_port(MonotonicTime now);
  void lose_port(MonotonicTime now);
  void become(LinkState state) noexcept;
  void expect_boot(MonotonicTime now) noexcept;
  void verified(MonotonicTime now);
  void forget_board() noexcept;
  void ask(MonotonicTime now);
  void ask_identity(MonotonicTime now) noexcept;
  void ask_temperature(MonotonicTime now) noexcept;
  bool take_own_order(MonotonicTime now) noexcept;
  void run_revival(MonotonicTime now);
  void follow_mode(MonotonicTime now) noexcept;
  void publish() noexcept;
  void raise(std::uint32_t events) noexcept;
  void note(LinkNote kind, NoteSeverity severity, std::string_view text,
            std::string_view quoted = {}) noexcept;

  // link_lines.cc: what the printer says.
  void take_byte(char byte, MonotonicTime now);
  void on_line(std::string_view line, LineEnding ending, MonotonicTime now);
  void on_report(const ParsedLine& parsed, LineEnding ending, bool answers, MonotonicTime now);
  void on_banner(std::string_view line, bool own_ending, MonotonicTime now);
  void on_halt(std::string_view line, bool own_ending, MonotonicTime now);
  void on_firmware_info(const ParsedLine& parsed, LineEnding ending, MonotonicTime now);
  void on_identity_unanswered(MonotonicTime now);
  void on_foreign_answer(std::size_t bytes, MonotonicTime now) noexcept;
  void store_samples(const HeaterSamples& samples, Belief belief, MonotonicTime now) noexcept;
  bool settle_answer(const ParsedLine& parsed, bool& answers_question, MonotonicTime now);
  void learn_controller(std::string_view line) noexcept;
  [[nodiscard]] bool expects_unasked(const ParsedLine& parsed, MonotonicTime now) const noexcept;

  // link_host.cc: the host, and all output.
  void on_host_line(const HostLine& line, std::string_view text, bool passed) noexcept override;
  void feed_host(MonotonicTime now) noexcept;
  void flush_port(MonotonicTime now) noexcept;
  void flush_host() noexcept;
  void follow_host(MonotonicTime now) noexcept;
  void follow_line_settings() noexcept;
  void return_to_heard_line() noexcept;
  void drop_streaming_host(MonotonicTime now) noexcept;
  void follow_form(std::string_view line, MonotonicTime now) noexcept;
  void publish_form() noexcept;
  [[nodiscard]] StreamForm form() const noexcept;
  [[nodiscard]] bool host_is_unreadable(MonotonicTime now) const noexcept;
  [[nodiscard]] bool question_would_harm(MonotonicTime now) const noexcept;
  void escape_binary(MonotonicTime now) noexcept;
  bool write_port(std::string_view bytes, std::size_t& taken, MonotonicTime now) noexcept;
  [[nodiscard]] bool stops() const noexcept {
    return mode_ == LinkMode::latched || mode_ == LinkMode::probation;
  }
  [[nodiscard]] GatePolicy policy() const noexcept;
  [[nodiscard]] bool host_may_pass() const noexcept;

  const PrinterConfig& config_;
  PrinterShared& shared_;
  SerialPort& port_;
  HostPort& host_;
  DescriptorKeeper& keeper_;
  LinkNotebook notebook_;
  const std::string keeper_name_;

  LineSplitter splitter_;
  HeaterMap heaters_;
  ReportJudge judge_;
  AnswerQueue answers_;
  HostGate gate_;
  HostStream stream_;
  ByteBuffer<256> host_in_;  ///< Read from the host, not yet through the gate.

  MonotonicTime now_{};
  LinkState state_ = LinkState::absent;
  LinkMode mode_ = LinkMode::latched;
  PrinterReadings readings_{};
  bool readings_changed_ = false;
  ExtrusionTracker extrusion_;
  bool lost_ = false;

  MonotonicTime retry_at_{};
  MonotonicTime opened_at_{};
  MonotonicTime line_at_{};
  MonotonicTime report_at_{};   ///< Last fully believed report.
  MonotonicTime unasked_at_{};  ///< Last report without a question.
  MonotonicTime busy_at_{};
  MonotonicTime banner_at_{};
  MonotonicTime halted_at_{};
  MonotonicTime resend_at_{};  ///< Of a `Resend:` whose `ok` has not come yet.

  // Questions of our own.
  Command command_ = Command::none;
  std::string_view command_text_;
  std::size_t command_sent_ = 0;
  MonotonicTime command_since_{};
  MonotonicTime asked_at_{};
  OwnOrder order_{};  ///< The one that is being sent, or was last.
  std::array<char, 33> order_text_{};
  std::array<char, 128> packed_{};  ///< The command for a firmware that unpacks.
  std::uint32_t orders_sent_ = 0;   ///< Serial of the last one that has left or was let go.
  bool settings_asked_ = false;     ///< M503, once a commissioning.
  ControllerValues controllers_{};
  int unanswered_ = 0;
  int identity_tries_ = 0;
  bool lines_since_open_ = false;
  bool ever_verified_ = false;
  bool matched_ = false;
  bool info_seen_ = false;   ///< M115 is being answered.
  bool info_known_ = false;  ///< It has been, since the board booted.

  // Who reports, and how often.
  bool autoreport_capable_ = false;
  bool autoreport_on_ = false;
  bool host_sets_autoreport_ = false;
  std::chrono::seconds autoreport_interval_{1};
  MonotonicTime autoreport_sent_{};
  MonotonicTime host_asked_at_{};
  int heat_waits_ = 0;
  int active_tool_ = 0;         ///< Below 0: unknown.
  bool ok_has_report_ = false;  ///< The firmware answers M105 with `ok T:…` in one line.

  // Host.
  bool host_was_attached_ = false;
  MonotonicTime host_bytes_at_{};
  MonotonicTime motion_at_{};
  MonotonicTime host_checked_at_{};
  MonotonicTime host_refused_at_{};
  bool uploading_ = false;  ///< Lines go into a file (M28).
  MonotonicTime unreadable_at_{};
  MonotonicTime binary_asked_at_{};
  MonotonicTime escape_at_{};
  int escape_sync_ = -1;          ///< Of the CLOSE packet that we have sent.
  std::uint8_t binary_sync_ = 0;  ///< The packet that the firmware expects next.
  ByteBuffer<512> escape_;        ///< Ends a binary transfer after a stop.
  bool job_stopped_ = false;      ///< The host was printing when the latch began.
  MonotonicTime stream_at_{};
  std::uint32_t reported_drops_ = 0;
  LineSettings host_line_{};   ///< As the host was last seen to have it.
  LineSettings heard_line_{};  ///< With which the printer was last understood.
  bool boundary_unknown_ = false;

  // Revival.
  enum class Revival : std::uint8_t { none, low, holding } revival_ = Revival::none;
  MonotonicTime revival_at_{};

  // Evidence and its rate limits.
  std::uint32_t stop_bytes_seen_ = 0;
  MonotonicTime stop_bytes_at_{};
  int foreign_answers_ = 0;
  MonotonicTime foreign_since_{};
  ErrorCode last_open_error_ = ErrorCode::internal;
  bool open_error_noted_ = false;

  PrinterIdentity identity_{};
};

}  // namespace firebreak::guard
