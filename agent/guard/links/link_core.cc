#include "agent/guard/links/link_core.h"

#include <algorithm>

namespace firebreak::guard {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds reopen_every{1};
/// A port that another process holds is looked at less often: finding the holder reads all /proc.
constexpr seconds refused_again_after{5};
/// A banner has many lines; the firmware listens once they have ended.
constexpr milliseconds quiet_after_banner{300};
/// A board that says nothing after opening has not been reset by it (native USB).
constexpr milliseconds silent_board_wait{1500};
constexpr seconds identity_every{3};
constexpr seconds identity_again_every{30};
constexpr seconds wrong_printer_asks_every{10};
/// docs/safety.md: ask at 2 s of silence.
constexpr seconds silence_asks_after{2};
constexpr milliseconds report_jitter{500};
constexpr seconds poll_every{1};
/// A question in a blocking wait is answered only after it; more of them only fill the ring.
constexpr seconds question_expires{5};
constexpr milliseconds unfinished_line_lasts{500};
constexpr milliseconds dtr_low{250};
constexpr seconds revival_hold{5};
/// A port that never drains must not spin the thread.
constexpr std::chrono::microseconds shortest_wait{100};

}  // namespace

LinkCore::LinkCore(const PrinterConfig& config, PrinterShared& shared, SerialPort& port,
                   HostPort& host, DescriptorKeeper& keeper, LinkEvents& events)
    : config_(config),
      shared_(shared),
      port_(port),
      host_(host),
      keeper_(keeper),
      notebook_(events),
      keeper_name_("port." + config.name),
      heaters_(config.profile),
      gate_(config.name, *this) {}

void LinkCore::start(MonotonicTime now, bool host_adopted) {
  now_ = now;
  mode_ = shared_.link_mode.load();
  if (const auto kept = keeper_.take(keeper_name_); kept && port_.adopt(*kept)) {
    // Only a verified printer's port is kept, and the kernel ends a descriptor when its device
    // goes: it is the same printer, whatever it is doing now.
    keeper_.keep(keeper_name_, port_.fd());
    matched_ = ever_verified_ = true;
    boundary_unknown_ = host_adopted;
    active_tool_ = -1;
    if (host_adopted) gate_.assume_in_line();
    host_was_attached_ = host_adopted && host_.attached();
    shared_.host_attached.store(host_was_attached_ ? 1 : 0);
    opened_at_ = line_at_ = now;
    shared_.port_fd.store(port_.fd());
    become(LinkState::ready);
    note(LinkNote::port_adopted, NoteSeverity::info, "the port was taken over without opening it");
    return;
  }
  // The port went while no guard was there: a job must not go on in the middle.
  if (host_adopted) host_.hang_up();
  open_port(now);
}

void LinkCore::open_port(MonotonicTime now) {
  retry_at_ = now + reopen_every;
  auto opened = port_.open();
  if (!opened) {
    const auto code = opened.error().code;
    become(code == ErrorCode::refused     ? LinkState::blocked
           : code == ErrorCode::bad_input ? LinkState::wrong_printer
                                          : LinkState::absent);
    if (code != ErrorCode::not_found) retry_at_ = now + refused_again_after;
    const bool news = !open_error_noted_ || opened.error().code != last_open_error_;
    open_error_noted_ = true;
    last_open_error_ = opened.error().code;
    if (!news) return;
    const bool blocked = state_ == LinkState::blocked;
    note(blocked ? LinkNote::port_blocked : LinkNote::port_refused, NoteSeverity::warning, "",
         opened.error().message);
    return;
  }
  open_error_noted_ = false;
  splitter_.clear();
  stream_.clear();
  opened_at_ = now;
  shared_.port_fd.store(port_.fd());
  expect_boot(now);
  note(LinkNote::port_opened, NoteSeverity::info, "the port was opened");
}

/// What was learned of a board that has booted.
void LinkCore::forget_board() noexcept {
  answers_.clear();
  judge_.reset();
  command_ = Command::none;
  command_sent_ = 0;
  autoreport_on_ = host_sets_autoreport_ = false;
  ok_has_report_ = false;
  heat_waits_ = 0;
  uploading_ = false;
  gate_.printer_booted();
  escape_.clear();
  unreadable_at_ = binary_asked_at_ = {};
  active_tool_ = 0;
  unanswered_ = 0;
  report_at_ = unasked_at_ = busy_at_ = autoreport_sent_ = {};
}

void LinkCore::expect_boot(MonotonicTime now) noexcept {
  forget_board();
  opened_at_ = now;
  identity_tries_ = 0;
  lines_since_open_ = false;
  matched_ = info_seen_ = info_known_ = false;
  become(LinkState::opening);
}

void LinkCore::lose_port(MonotonicTime now) {
  lost_ = false;
  shared_.port_fd.store(-1);
  keeper_.forget(keeper_name_);
  port_.close();
  forget_board();
  gate_.end_session(false);
  host_in_.clear();
  if (host_was_attached_) host_.hang_up();
  shared_.printing.store(0);
  retry_at_ = now + reopen_every;
  become(LinkState::absent);
  raise(link_event::port_lost);
  note(LinkNote::port_lost, NoteSeverity::warning,
       "the port was lost: the printer was unplugged or switched off");
}

void LinkCore::become(LinkState state) noexcept {
  state_ = state;
  shared_.link_state.store(state);
}

void LinkCore::verified(MonotonicTime now) {
  matched_ = true;
  ever_verified_ = true;
  become(LinkState::ready);
  keeper_.keep(keeper_name_, port_.fd());
  raise(link_event::identity_verified);
  note(LinkNote::identified, NoteSeverity::info, "the printer is identified: ", identity_.firmware);
  line_at_ = now;
  asked_at_ = {};  // The first temperature is asked for at once.
}

void LinkCore::raise(std::uint32_t events) noexcept { shared_.events.fetch_or(events); }

void LinkCore::note(LinkNote kind, NoteSeverity severity, std::string_view text,
                    std::string_view quoted) noexcept {
  notebook_.note(kind, severity, text, quoted, now_);
}

void LinkCore::publish() noexcept {
  if (!readings_changed_) return;
  readings_changed_ = false;
  readings_.flow_mm3_per_s = extrusion_.flow(now_.time_since_epoch().count());
  shared_.readings.store(readings_);
}

void LinkCore::follow_mode(MonotonicTime now) noexcept {
  const auto mode = shared_.link_mode.load();
  if (mode == mode_) return;
  const bool passed = mode_ == LinkMode::pass;
  mode_ = mode;
  unanswered_ = 0;
  if (mode == LinkMode::pass) drop_streaming_host(now);
  if (!passed) return;
  // The stop bytes of the other thread come first; what we had pending would only disturb them.
  return_to_heard_line();
  job_stopped_ = shared_.printing.load() != 0;
  command_ = Command::none;
  command_sent_ = 0;
  gate_.latch(answers_.count(Asker::host));
  answers_.clear();
  asked_at_ = now;
}

void LinkCore::run_revival(MonotonicTime now) {
  const auto wanted = shared_.revival_request.load();
  switch (revival_) {
    case Revival::none:
      if (wanted == shared_.revival_done.load()) return;
      revival_at_ = now;
      // A halted board may have taken none of the repeats: one more M112 would halt it again.
      port_.drop_output();
      if (port_.set_dtr(false)) {
        revival_ = Revival::low;
        note(LinkNote::revival, NoteSeverity::info, "DTR is pulsed to revive the board");
      } else {
        // A pty, or no port: nothing to pulse. Whoever asked judges by what the printer says.
        revival_ = Revival::holding;
        note(LinkNote::revival, NoteSeverity::warning,
             "this port has no DTR line: press the printer's reset button");
      }
      break;
    case Revival::low:
      if (now - revival_at_ < dtr_low) return;
      port_.set_dtr(true);
      revival_ = Revival::holding;
      revival_at_ = now;
      if (port_.fd() >= 0) expect_boot(now);
      break;
    case Revival::holding:
      if (now - revival_at_ < revival_hold) return;
      revival_ = Revival::none;
      shared_.revival_done.fetch_add(1);
      break;
  }
}

void LinkCore::tick(MonotonicTime now) {
  now_ = now;
  shared_.link_alive_ns.store(now.time_since_epoch().count());
  follow_mode(now);
  port_.collect();
  if (lost_) lose_port(now);
  if (port_.fd() < 0 && now >= retry_at_) open_port(now);
  run_revival(now);
  const auto taken = shared_.stop_bytes_taken.load();
  if (taken != stop_bytes_seen_) {
    stop_bytes_seen_ = taken;
    stop_bytes_at_ = now;
  }
  if (!answers_.empty() && now - answers_.front().sent_at > seconds{30} &&
      now - busy_at_ > seconds{10}) {
    answers_.clear();  // Lines that a firmware lost are never acknowledged.
  }
  if (now - stream_at_ > unfinished_line_lasts) {
    stream_.release();
    if (!gate_.replies.empty()) stream_.break_line();
  }
  follow_host(now);
  publish_form();
  escape_binary(now);
  if (command_sent_ == 0 && question_would_harm(now)) command_ = Command::none;
  feed_host(now);
  ask(now);
  flush_port(now);
  flush_host();
  if (lost_) lose_port(now);
  publish();
}

void LinkCore::ask(MonotonicTime now) {
  if (port_.fd() < 0 || command_ != Command::none) return;
  if (question_would_harm(now)) return;
  if (revival_ != Revival::none) return;
  switch (state_) {
    case LinkState::opening:
    case LinkState::identifying:
    case LinkState::wrong_printer: ask_identity(now); break;
    case LinkState::ready:
      if (take_own_order(now)) break;
      if (!info_known_ && now - asked_at_ > identity_again_every) {
        // A port taken over from an earlier run: what it can do is not known here.
        asked_at_ = now;
        command_ = Command::ask_identity;
        command_text_ = "M115\n";
        break;
      }
      [[fallthrough]];
    case LinkState::halted: ask_temperature(now); break;
    case LinkState::absent:
    case LinkState::blocked:
    case LinkState::misconfigured: break;
  }
  if (command_ != Command::none) command_since_ = now;
}

void LinkCore::ask_identity(MonotonicTime now) noexcept {
  if (state_ == LinkState::opening) {
    const bool banner_over = lines_since_open_ && now - line_at_ >= quiet_after_banner;
    const bool silent = !lines_since_open_ && now - opened_at_ >= silent_board_wait;
    if (!banner_over && !silent) return;
    become(LinkState::identifying);
  } else {
    const auto gap = state_ == LinkState::wrong_printer ? wrong_printer_asks_every : identity_every;
    if (now - asked_at_ < gap || now - busy_at_ < gap) return;
  }
  ++identity_tries_;
  asked_at_ = now;
  command_ = Command::ask_identity;
  // The first question ends whatever half line the port's line noise has left in the firmware.
  command_text_ = identity_tries_ == 1 ? "\nM115\n" : "M115\n";
}

void LinkCore::ask_temperature(MonotonicTime now) noexcept {
  const bool host_polls = host_asked_at_ != MonotonicTime{} && now - host_asked_at_ < seconds{4};
  const bool unasked_live =
      unasked_at_ != MonotonicTime{} && now - unasked_at_ < autoreport_interval_ + seconds{4};
  if (autoreport_capable_ && !host_sets_autoreport_ && !unasked_live &&
      (autoreport_sent_ == MonotonicTime{} || now - autoreport_sent_ > seconds{10})) {
    autoreport_sent_ = now;
    command_ = Command::autoreport_on;
    command_text_ = "M155 S1\n";
    return;
  }
  std::chrono::nanoseconds patience = poll_every;
  if (host_polls || state_ == LinkState::halted) patience = silence_asks_after;
  if (autoreport_on_ || unasked_live) {
    // A report each two seconds is in time; one each ten, which a host may want, is not.
    patience = autoreport_interval_ < silence_asks_after ? silence_asks_after
                                                         : silence_asks_after + report_jitter;
  }
  if (unanswered_ > 2) patience = std::max<std::chrono::nanoseconds>(patience, question_expires);
  if (now - report_at_ < patience || now - asked_at_ < patience) return;
  if (answers_.own_pending(Question::temperature) && now - asked_at_ < question_expires) return;
  asked_at_ = now;
  ++unanswered_;
  command_ = Command::ask_temperature;
  command_text_ = "M105\n";
}

/// While the guard heats by itself its orders go before every question; first of all the firmware
/// is asked for its settings, to know later whether they are still those of the model.
bool LinkCore::take_own_order(MonotonicTime now) noexcept {
  const bool commissioning = shared_.commissioning.load() != 0 && mode_ == LinkMode::pass;
  if (!commissioning) {
    settings_asked_ = false;
    return false;
  }
  if (!settings_asked_) {
    settings_asked_ = true;
    command_ = Command::ask_settings;
    command_text_ = "M503\n";
    return true;
  }
  OwnOrder order;
  if (!shared_.own_order.load(order) || order.serial == orders_sent_) return false;
  orders_sent_ = order.serial;
  if (now.time_since_epoch().count() > order.until_ns) return false;
  order_ = order;
  std::size_t size = 0;
  while (size < sizeof(order.line) && order.line[size] != '\0') {
    order_text_[size] = order.line[size];
    ++size;
  }
  order_text_[size++] = '\n';
  command_ = Command::own_order;
  command_text_ = {order_text_.data(), size};
  return true;
}

std::size_t LinkCore::queue_limit(const LineSettings& line) noexcept {
  const auto in_time = static_cast<std::size_t>(line.baud / line.bits_per_byte()) / 400;
  return std::clamp(in_time, least_queued, most_queued);
}

std::chrono::nanoseconds LinkCore::wait(MonotonicTime now) noexcept {
  if (port_.fd() < 0) return milliseconds{200};
  const auto line = port_.line();
  const auto queued = port_.queued(), refill_at = queue_limit(line) / 2;
  if (queued > refill_at) {
    // Until there is room again: on a fast line well under a millisecond.
    const auto bits = static_cast<std::int64_t>(queued - refill_at) * line.bits_per_byte();
    const std::chrono::nanoseconds drained{bits * 1'000'000'000 / std::max(line.baud, 1)};
    return std::clamp<std::chrono::nanoseconds>(drained, shortest_wait, milliseconds{2});
  }
  if (!gate_.to_port.empty() || !host_in_.empty() || command_sent_ > 0) return milliseconds{2};
  if (command_ != Command::none) return milliseconds{10};
  if (!stream_.to_host.empty() || revival_ == Revival::low) return milliseconds{10};
  if (now - host_bytes_at_ < seconds{2}) return milliseconds{20};
  return milliseconds{100};
}

}  // namespace firebreak::guard
