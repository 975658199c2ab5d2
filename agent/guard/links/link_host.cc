// The host's side, and everything that is written.
#include <algorithm>

#include "agent/guard/links/link_core.h"

namespace firebreak::guard {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// A host that has not sent a byte for so long is not in the middle of a line.
constexpr seconds line_is_over_after{2};
/// A question of ours waits this long for a moment without an outstanding line of the host.
constexpr seconds injection_patience{3};
constexpr seconds printing_lasts{30};
constexpr seconds still_streams_within{10};
constexpr milliseconds host_check_every{250};
/// Between packed lines there may be readable ones by chance.
constexpr seconds unreadable_lasts{30};

bool is_readable(std::string_view text) noexcept {
  return std::none_of(text.begin(), text.end(), [](char c) {
    const auto value = static_cast<unsigned char>(c);
    return value == 0 || (value < ' ' && c != '\t') || value == 0xFF;
  });
}

}  // namespace

StreamForm LinkCore::form() const noexcept {
  if (gate_.binary()) return StreamForm::binary;
  if (uploading_) return StreamForm::upload;
  return gate_.printer_unpacks() ? StreamForm::packed : StreamForm::text;
}

/// Tells the stop thread, before it needs to know. While latched the form stays as it was at the
/// stop: its first bytes may have been lost.
void LinkCore::publish_form() noexcept {
  const auto now =
      host_is_unreadable(now_) && form() == StreamForm::text ? StreamForm::packed : form();
  if (mode_ == LinkMode::pass || state_ == LinkState::opening) shared_.stream_form.store(now);
}

/// Bytes that are no text: a host that packs, which this run has not seen begin (the guard was
/// restarted), or that uses a form which is not known here.
bool LinkCore::host_is_unreadable(MonotonicTime now) const noexcept {
  return unreadable_at_ != MonotonicTime{} && now - unreadable_at_ < unreadable_lasts;
}

/// A line of ours in the middle of a file or of packets.
bool LinkCore::question_would_harm(MonotonicTime now) const noexcept {
  return gate_.binary() || uploading_ || host_is_unreadable(now);
}

/// A stop is not read in a binary transfer: the packet under way is filled up, and the transfer
/// closed, so that the next repeat of the stop is. Again each second until the firmware says so.
void LinkCore::escape_binary(MonotonicTime now) noexcept {
  if (!gate_.binary() || mode_ == LinkMode::pass || port_.fd() < 0) return;
  if (escape_at_ != MonotonicTime{} && now - escape_at_ < seconds{1}) return;
  escape_at_ = now;
  escape_.clear();
  for (std::size_t i = 0; i < binary_transfer::filler_bytes; ++i) escape_.append("\n");
  // The one expected; the next, if a packet was just being acknowledged; the first, if the filler
  // was too much for the firmware, which then begins anew.
  for (const unsigned ahead : {0U, 1U}) {
    const auto sync = static_cast<std::uint8_t>(binary_sync_ + ahead);
    const auto packet = binary_transfer::close_packet(sync);
    escape_.append({packet.data(), packet.size()});
  }
  const auto first = binary_transfer::close_packet(0);
  escape_.append({first.data(), first.size()});
  escape_.append("\n");
  escape_sync_ = binary_sync_;
}

GatePolicy LinkCore::policy() const noexcept {
  GatePolicy policy;
  policy.allowlist_only = stops();
  policy.no_new_heat = shared_.no_new_heat.load() != 0;
  policy.commissioning = shared_.commissioning.load() != 0;
  return policy;
}

bool LinkCore::host_may_pass() const noexcept {
  const bool reviving =
      revival_ != Revival::none || shared_.revival_request.load() != shared_.revival_done.load();
  return port_.fd() >= 0 && !reviving && mode_ != LinkMode::hold &&
         (state_ == LinkState::ready || state_ == LinkState::halted);
}

bool LinkCore::wants_host(MonotonicTime now) noexcept {
  if (!host_may_pass() || !gate_.to_port.empty() || !host_in_.empty()) return false;
  if (gate_.replies.room() < 600 || command_sent_ > 0) return false;
  (void)now;
  return policy().by_line() || port_.queued() <= queue_limit(port_.line()) / 2;
}

void LinkCore::host_readable(MonotonicTime now) {
  now_ = now;
  follow_mode(now);
  if (!wants_host(now)) return;
  std::array<char, HostGate::max_take> room;
  const std::size_t limit = queue_limit(port_.line());
  const std::size_t space = policy().by_line() ? limit : limit - std::min(limit, port_.queued());
  const auto got = host_.read(std::span(room).first(space));
  if (got.bytes == 0) return;
  if (!host_was_attached_) host_checked_at_ = {};  // Its first line is answered too.
  host_bytes_at_ = now;
  follow_host(now);
  host_in_.append({room.data(), got.bytes});
  feed_host(now);
  flush_port(now);
}

/// Moves bytes through the gate; while a question of ours waits, only to the end of a line.
void LinkCore::feed_host(MonotonicTime now) noexcept {
  while (!host_in_.empty() && host_may_pass() && gate_.to_port.empty() && command_sent_ == 0) {
    const auto all = host_in_.view();
    std::size_t count = all.size();
    if (command_ != Command::none) {
      if (gate_.between_lines() && answers_.count(Asker::host) == 0) return;
      const auto end = all.find('\n');
      if (end != std::string_view::npos) count = end + 1;
    }
    gate_.take(all.substr(0, count), policy(), now);
    host_in_.drop_front(count);
    boundary_unknown_ = boundary_unknown_ && !gate_.between_lines();
  }
}

void LinkCore::on_host_line(const HostLine& line, std::string_view text, bool passed) noexcept {
  if (!passed) {
    host_refused_at_ = now_;
    raise(link_event::host_refused);
    note(LinkNote::host_refused, NoteSeverity::warning, "a line of the host was held back: ", text);
    return;
  }
  if (!is_readable(text)) unreadable_at_ = now_;
  if (line.begins_binary) binary_asked_at_ = now_;
  if (!uploading_) extrusion_.take(text, now_.time_since_epoch().count());
  PendingAnswer answer{Asker::host, Question::other, now_};
  if (line.asks_temperature) {
    answer.question = Question::temperature;
    host_asked_at_ = now_;
  }
  answers_.push(answer);
  if (uploading_) return;  // It goes into a file, and does nothing yet.
  if (line.heats) raise(link_event::host_heats);
  const bool sets_gains = line.letter == 'M' && (line.number == 301 || line.number == 304);
  if (sets_gains) learn_controller(text.substr(std::min(text.size(), text.find("M30"))));
  if (line.waits_for_heat) ++heat_waits_;
  if (line.moves) motion_at_ = now_;
  if (line.tool >= 0) active_tool_ = line.tool;
  if (line.forges_report) judge_.quarantine(now_);
  if (line.fan >= 0) {
    readings_.fan = static_cast<float>(line.fan) / 255;
    readings_changed_ = true;
  }
  if (line.sets_autoreport) {
    host_sets_autoreport_ = true;
    autoreport_on_ = line.autoreport_seconds > 0;
    autoreport_interval_ = seconds{std::max(1, line.autoreport_seconds)};
  }
}

bool LinkCore::write_port(std::string_view bytes, std::size_t& taken, MonotonicTime now) noexcept {
  taken = 0;
  const auto before = mode_;
  follow_mode(now);
  if (mode_ != before && mode_ != LinkMode::pass) return false;  // What was pending is gone.
  const std::size_t queued = port_.queued(), limit = queue_limit(port_.line());
  if (queued >= limit) return false;
  const auto result = port_.write(bytes.substr(0, limit - queued));
  if (result.lost) lost_ = true;
  taken = result.bytes;
  return result.bytes > 0;
}

void LinkCore::flush_port(MonotonicTime now) noexcept {
  if (port_.fd() < 0 || lost_) return;
  std::size_t taken = 0;
  while (!escape_.empty()) {
    if (!write_port(escape_.view(), taken, now)) return;
    escape_.drop_front(taken);
  }
  while (command_sent_ == 0 && host_may_pass() && !gate_.to_port.empty()) {
    if (!write_port(gate_.to_port.view(), taken, now)) return;
    gate_.to_port.drop_front(taken);
  }
  if (command_ == Command::none) return;
  if (command_sent_ == 0) {
    if (boundary_unknown_ && now - host_bytes_at_ >= line_is_over_after) {
      boundary_unknown_ = false;
      gate_.assume_between_lines();
    }
    const bool waited = now - command_since_ >= injection_patience;
    if (!gate_.between_lines() || (answers_.count(Asker::host) > 0 && !waited)) return;
    if (port_.queued() > 0) return;  // A port that does not drain gets no further question.
  }
  if (command_sent_ == 0 && gate_.printer_unpacks()) {
    command_text_ = {packed_.data(), meatpack::pack(command_text_, packed_)};
  }
  if (!write_port(command_text_.substr(command_sent_), taken, now)) return;
  command_sent_ += taken;
  if (command_ == Command::none || command_sent_ < command_text_.size()) return;
  Question question = Question::temperature;
  if (command_ == Command::ask_identity) {
    question = Question::identity;
    // The host is held back until then: whatever is still unanswered was lost in the boot.
    if (state_ != LinkState::ready) answers_.clear();
  }
  if (command_ == Command::autoreport_on) question = Question::autoreport;
  if (command_ == Command::ask_settings) question = Question::settings;
  if (command_ == Command::own_order) {
    question = Question::order;
    const HostLine order = parse_host_line({order_text_.data(), command_text_.size() - 1});
    if (order.heats) raise(link_event::host_heats);
    if (order.fan >= 0) {
      readings_.fan = static_cast<float>(order.fan) / 255;
      readings_changed_ = true;
    }
  }
  answers_.push({Asker::own, question, now, answers_.count(Asker::host) == 0});
  command_ = Command::none;
  command_sent_ = 0;
  feed_host(now);
}

void LinkCore::flush_host() noexcept {
  if (!gate_.replies.empty() && stream_.insert(gate_.replies.view())) gate_.replies.clear();
  if (!host_was_attached_) {
    stream_.to_host.clear();  // Nobody listens; a later host starts with what comes then.
    return;
  }
  while (!stream_.to_host.empty()) {
    const auto result = host_.write(stream_.to_host.view());
    if (result.bytes == 0) break;
    stream_.to_host.drop_front(result.bytes);
  }
  if (stream_.dropped_bytes != reported_drops_) {
    reported_drops_ = stream_.dropped_bytes;
    note(LinkNote::host_overrun, NoteSeverity::warning,
         "the host does not read its port: lines of the printer to it were dropped");
  }
}

void LinkCore::follow_host(MonotonicTime now) noexcept {
  const bool printing = motion_at_ != MonotonicTime{} && now - motion_at_ < printing_lasts;
  shared_.printing.store(printing ? 1 : 0);
  if (now - host_checked_at_ < host_check_every) return;
  host_checked_at_ = now;
  const bool attached = host_.attached();
  if (attached != host_was_attached_) {
    host_was_attached_ = attached;
    shared_.host_attached.store(attached ? 1 : 0);
    note(attached ? LinkNote::host_attached : LinkNote::host_detached, NoteSeverity::info,
         attached ? "a host program has opened the printer's port"
                  : "the host program has closed the printer's port");
    if (!attached) {
      job_stopped_ = false;
      host_sets_autoreport_ = false;
      host_in_.clear();
      gate_.end_session(port_.fd() >= 0);
      stream_.clear();
      // What happens from here on (a card, the screen) does not pass through us.
      readings_.fan = unknown;
      extrusion_.reset();
      readings_changed_ = true;
    }
  }
  follow_line_settings();
}

void LinkCore::follow_line_settings() noexcept {
  const LineSettings line = host_.line();
  if (host_line_.baud == 0) host_line_ = line;
  if (line.baud <= 0 || line == host_line_ || mode_ != LinkMode::pass || port_.fd() < 0) return;
  host_line_ = line;
  if (port_.set_line(line)) {
    note(LinkNote::line_followed, NoteSeverity::info, "the host has changed the baud rate");
  }
}

/// A host that has ignored its stop, or has only paused, would go on in the middle of its job, on a
/// printer that has just booted: the latch's end is the end of its session, as an unplugged cable
/// would be. One that was not printing, or has closed the port since, stays.
void LinkCore::drop_streaming_host(MonotonicTime now) noexcept {
  const bool streams =
      host_refused_at_ != MonotonicTime{} && now - host_refused_at_ < still_streams_within;
  if (!host_was_attached_ || (!streams && !job_stopped_)) return;
  host_refused_at_ = motion_at_ = {};
  job_stopped_ = false;
  host_in_.clear();
  gate_.end_session(port_.fd() >= 0);
  host_.hang_up();
  note(LinkNote::host_detached, NoteSeverity::warning,
       "the host was printing when it was stopped: its port is hung up, so that nothing resumes");
}

/// A stop must be understood: a host that was trying baud rates, or had changed only its own side,
/// is undone. When the latch is over it is followed again.
void LinkCore::return_to_heard_line() noexcept {
  if (heard_line_.baud == 0 || port_.fd() < 0 || port_.line() == heard_line_) return;
  if (port_.set_line(heard_line_)) host_line_ = heard_line_;
}

}  // namespace firebreak::guard
