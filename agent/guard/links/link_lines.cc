// What the printer says: from bytes to readings and evidence.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "agent/guard/links/link_core.h"

namespace firebreak::guard {
namespace {

using std::chrono::seconds;

/// One call reads at most this much, so that a printer that floods the line does not keep the
/// thread from its output and its sign of life.
constexpr std::size_t read_at_once = 4096;
/// Lines that were printed just before a halt may still come just after its first text.
constexpr std::chrono::milliseconds halt_settles{200};
/// The `ok` behind a `Resend:` follows at once; some firmwares send none.
constexpr seconds resend_acknowledged_within{1};
/// A host waits for it; later it is another's word.
constexpr seconds binary_begins_within{10};

/// The number behind a letter in `P22.20 I1.08 D114.00`.
bool gain(std::string_view text, char letter, float& value) noexcept {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != letter || (i > 0 && text[i - 1] != ' ')) continue;
    const auto* end = text.data() + text.size();
    return std::from_chars(text.data() + i + 1, end, value).ec == std::errc{} &&
           std::isfinite(value);
  }
  return false;
}

std::int64_t count_ns(MonotonicTime time) noexcept { return time.time_since_epoch().count(); }

}  // namespace

void LinkCore::port_readable(MonotonicTime now) {
  now_ = now;
  follow_mode(now);
  std::array<char, 1024> room;
  for (std::size_t total = 0; total < read_at_once && port_.fd() >= 0;) {
    const auto got = port_.read(room);
    if (got.lost) lost_ = true;
    if (got.bytes == 0) break;
    total += got.bytes;
    for (std::size_t i = 0; i < got.bytes; ++i) take_byte(room[i], now);
  }
  publish();
}

void LinkCore::take_byte(char byte, MonotonicTime now) {
  const bool holding = answers_.count(Asker::own) > 0 || stops();
  const auto oversize_before = splitter_.oversize();
  const bool complete = splitter_.push(byte);
  const bool lone_cr = complete && splitter_.ending() == LineEnding::cr;
  stream_at_ = now;
  if (!lone_cr) stream_.take(byte, holding);
  if (splitter_.oversize() != oversize_before) {
    ++readings_.bad_lines;
    readings_changed_ = true;
    stream_.end_line(false);
    note(LinkNote::junk, NoteSeverity::warning, "a line from the printer was too long: dropped");
  }
  if (complete) on_line(splitter_.line(), splitter_.ending(), now);
  if (lone_cr) stream_.take(byte, holding);
}

void LinkCore::on_line(std::string_view line, LineEnding ending, MonotonicTime now) {
  const ParsedLine parsed = parse_line(line);
  const bool own_ending = judge_.is_own_ending(ending);
  bool answers_question = false;
  // A forged `ok` must not be taken for the answer to anything.
  const bool swallow = own_ending && settle_answer(parsed, answers_question, now);
  stream_.end_line(swallow);
  if (parsed.kind == LineKind::empty) return;
  line_at_ = now;
  lines_since_open_ = true;
  ++readings_.lines;
  readings_.line_at_ns = count_ns(now);
  readings_changed_ = true;
  if (own_ending) {
    learn_controller(line);
    follow_form(line, now);
  }
  if (parsed.kind == LineKind::temperature || parsed.kind == LineKind::ok) {
    heard_line_ = port_.line();
  }
  switch (parsed.kind) {
    case LineKind::temperature: on_report(parsed, ending, answers_question, now); break;
    case LineKind::busy:
    case LineKind::wait:
      busy_at_ = now;
      readings_.busy_at_ns = count_ns(now);
      break;
    case LineKind::banner: on_banner(line, own_ending, now); break;
    case LineKind::halt: on_halt(line, own_ending, now); break;
    case LineKind::thermal_fault:
      raise(link_event::thermal_fault);
      note(LinkNote::firmware_fault, NoteSeverity::alarm, "the firmware says: ", line);
      break;
    case LineKind::firmware_info: on_firmware_info(parsed, ending, now); break;
    case LineKind::capability:
      if (parsed.capability == "AUTOREPORT_TEMP") autoreport_capable_ = parsed.capability_on;
      if (parsed.capability == "MEATPACK" && parsed.capability_on) gate_.know_packing();
      break;
    case LineKind::resend:
      if (!own_ending) break;
      answers_.forget_unread();
      resend_at_ = now;
      break;
    case LineKind::malformed: ++readings_.bad_lines; break;
    default: break;
  }
}

bool LinkCore::settle_answer(const ParsedLine& parsed, bool& answers_question, MonotonicTime now) {
  if (parsed.kind == LineKind::firmware_info || parsed.kind == LineKind::capability) {
    return answers_.own_pending(Question::identity);
  }
  // The many lines of our M503 are nothing that the host has asked for.
  const bool plain = parsed.kind == LineKind::other || parsed.kind == LineKind::echo;
  if (plain && !parsed.acknowledges && answers_.own_pending(Question::settings)) return true;
  if (!parsed.acknowledges) {
    // Firmwares that answer M105 in two lines: the report first or last, without `ok`.
    if (parsed.kind == LineKind::temperature && !parsed.waits && !autoreport_on_) {
      answers_question = answers_.find(Question::temperature) < answers_.size();
    }
    return false;
  }
  const bool bare = parsed.kind == LineKind::ok;
  if (bare && resend_at_ != MonotonicTime{}) {
    const bool of_resend = now - resend_at_ < resend_acknowledged_within;
    resend_at_ = {};
    if (of_resend) return stops();
  }
  std::size_t index = 0;
  if (parsed.kind == LineKind::temperature) {
    index = answers_.find(Question::temperature);
    answers_question = index < answers_.size();
    if (!answers_question) return false;  // Left to the judge, and to the host.
    ok_has_report_ = true;
  } else if (ok_has_report_) {
    // This firmware's M105 is never answered by a bare `ok`: one of ours in front was lost.
    while (index < answers_.size() && answers_[index].asker == Asker::own &&
           answers_[index].question == Question::temperature) {
      ++index;
    }
    // With no line of the host under way it can only be ours, damaged on its way there.
    if (index == answers_.size() && answers_.only_ours()) index = 0;
    if (index == answers_.size()) return stops();
  }
  if (answers_.empty()) {
    if (parsed.kind == LineKind::ok) on_foreign_answer(3, now);
    return stops();  // Acknowledges the stop thread's lines, not the host's.
  }
  const PendingAnswer answer = answers_[index];
  answers_.pop(index + 1);
  if (answers_.empty()) heat_waits_ = 0;
  if (answer.asker == Asker::own && answer.question == Question::identity) {
    on_identity_unanswered(now);
  }
  if (answer.asker == Asker::own && answer.question == Question::autoreport) {
    autoreport_on_ = true;
    autoreport_interval_ = seconds{1};
  }
  if (answer.asker == Asker::own && answer.question == Question::order) {
    shared_.own_order_done.store(order_.serial);
  }
  return answer.asker == Asker::own;
}

/// What the firmware says of the form in which it takes its bytes. Source of the texts: Marlin,
/// src/gcode/sd/M28_M29.cpp, src/core/language.h, src/feature/meatpack.cpp, binary_stream.h.
void LinkCore::follow_form(std::string_view line, MonotonicTime now) noexcept {
  if (line.starts_with("[MP] ")) gate_.know_packing();
  if (line.starts_with("Writing to file: ")) uploading_ = true;
  if (line.starts_with("Done saving file")) uploading_ = false;
  const bool asked =
      binary_asked_at_ != MonotonicTime{} && now - binary_asked_at_ < binary_begins_within;
  if (asked && line == "echo:Switching to Binary Protocol") {
    binary_asked_at_ = {};
    binary_sync_ = 0;
    answers_.clear();  // The `ok` of the M28 is the host's in any case.
    command_ = Command::none;
    command_sent_ = 0;
    gate_.set_binary(true);
  }
  if (!gate_.binary()) return;
  const int packet = binary_transfer::acknowledged_packet(line);
  if (packet < 0) return;
  binary_sync_ = static_cast<std::uint8_t>(packet + 1);
  if (packet == gate_.close_sent() || packet == escape_sync_) gate_.set_binary(false);
}

void LinkCore::on_foreign_answer(std::size_t bytes, MonotonicTime now) noexcept {
  const bool explained =
      mode_ != LinkMode::pass || now - opened_at_ < seconds{10} ||
      (stop_bytes_at_ != MonotonicTime{} && now - stop_bytes_at_ < seconds{10}) ||
      host_was_attached_;
  if (explained) return;
  shared_.foreign_bytes.fetch_add(static_cast<std::uint32_t>(bytes));
  if (now - foreign_since_ > seconds{10}) {
    foreign_since_ = now;
    foreign_answers_ = 0;
  }
  if (++foreign_answers_ < 3) return;
  raise(link_event::foreign_traffic);
  note(LinkNote::foreign_answer, NoteSeverity::warning,
       "the printer answers lines that were not sent through the guard");
}

/// Reports come unasked with autoreport on and from inside M109 and its kin; from a board whose
/// port was taken over, they may have been coming all along, and then go on.
bool LinkCore::expects_unasked(const ParsedLine& parsed, MonotonicTime now) const noexcept {
  if (parsed.acknowledges) return false;
  if (autoreport_on_ || parsed.waits || heat_waits_ > 0 || state_ != LinkState::ready) return true;
  const bool goes_on =
      unasked_at_ != MonotonicTime{} && now - unasked_at_ < 2 * autoreport_interval_ + seconds{1};
  return goes_on || now - opened_at_ < seconds{15};
}

void LinkCore::on_report(const ParsedLine& parsed, LineEnding ending, bool answers,
                         MonotonicTime now) {
  HeaterSamples samples = heaters_.resolve(parsed, active_tool_);
  ReportContext context;
  context.answers_question = answers;
  context.unasked_expected = expects_unasked(parsed, now);
  context.cadence = autoreport_on_ && !parsed.waits ? autoreport_interval_ : seconds{1};
  context.ending = ending;
  bool contradicts = false;
  for (std::size_t i = 0; i < heaters_.size(); ++i) {
    if (samples.target[i] > 0) raise(link_event::target_positive);
    if (samples.duty[i] > 0) raise(link_event::duty_positive);
  }
  const bool quarantined = judge_.in_quarantine(now);
  const auto belief = judge_.judge(samples, context, now, contradicts);
  if (contradicts && belief == Belief::hot_only) judge_.quarantine(now);
  if (contradicts || (belief == Belief::hot_only && !judge_.is_own_ending(ending))) {
    shared_.foreign_bytes.fetch_add(1);
    raise(link_event::foreign_traffic);
    note(LinkNote::forged_report, NoteSeverity::warning,
         "a report contradicts the printer's own and only counts where it is hotter");
  }
  if (belief == Belief::held) return;
  store_samples(samples, quarantined ? Belief::hot_only : belief, now);
  if (belief != Belief::full) return;
  report_at_ = now;
  unanswered_ = 0;
  if (!parsed.acknowledges && !answers) unasked_at_ = now;
  if (state_ == LinkState::halted && now - halted_at_ > halt_settles && !quarantined) {
    become(matched_ ? LinkState::ready : LinkState::identifying);  // It still lives.
  }
}

void LinkCore::store_samples(const HeaterSamples& samples, Belief belief,
                             MonotonicTime now) noexcept {
  const auto events = store(samples, heaters_.size(), count_ns(now), readings_);
  readings_changed_ = true;
  if (belief == Belief::full) raise(events);
}

void LinkCore::on_banner(std::string_view line, bool own_ending, MonotonicTime now) {
  // A forged greeting counts only where a boot would be a danger.
  if (!own_ending && mode_ == LinkMode::pass) return;
  raise(link_event::boot_banner);
  extrusion_.reset();
  readings_.fan = unknown;
  readings_changed_ = true;
  if (!own_ending) return;
  if (banner_at_ == MonotonicTime{} || now - banner_at_ > seconds{2}) {
    note(LinkNote::booted, NoteSeverity::info, "the printer has started: ", line);
  }
  banner_at_ = now;
  if (state_ == LinkState::opening) return;
  expect_boot(now);
  lines_since_open_ = true;
}

void LinkCore::on_halt(std::string_view line, bool own_ending, MonotonicTime now) {
  // Forged, it may cause a stop, but it never acknowledges one.
  if (!own_ending && mode_ != LinkMode::pass) return;
  raise(link_event::halt_text);
  note(LinkNote::halted, NoteSeverity::alarm, "the firmware says: ", line);
  if (!own_ending) return;
  if (state_ == LinkState::ready) become(LinkState::halted);
  answers_.clear();
  command_ = Command::none;
  command_sent_ = 0;
  autoreport_on_ = false;
  halted_at_ = now;
}

void LinkCore::on_firmware_info(const ParsedLine& parsed, LineEnding ending, MonotonicTime now) {
  if (!answers_.own_pending(Question::identity)) return;
  judge_.learn_ending(ending);
  info_seen_ = info_known_ = true;
  describe_identity(parsed, identity_);
  shared_.identity.store(identity_);
  if (identity_matches(parsed, config_)) {
    matched_ = true;
    return;  // Verified at the `ok`, when the capabilities are known too.
  }
  matched_ = false;
  raise(link_event::wrong_identity);
  if (state_ == LinkState::wrong_printer) return;
  become(LinkState::wrong_printer);
  keeper_.forget(keeper_name_);
  note(LinkNote::wrong_printer, NoteSeverity::alarm,
       "another printer answers on this port: ", identity_.machine);
  line_at_ = now;
}

/// `echo:  M301 P22.20 I1.08 D114.00`, from an M503 of the host's or of ours.
void LinkCore::learn_controller(std::string_view line) noexcept {
  const auto hotend = line.find("M301 "), bed = line.find("M304 ");
  const auto at = std::min(hotend, bed);
  // Only as the settings are told: alone on its line, or behind `echo:` and blanks.
  if (at == std::string_view::npos) return;
  const auto head = line.substr(0, at);
  if (!head.empty() && !head.starts_with("echo:")) return;
  if (head.size() > 5 && head.substr(5).find_first_not_of(' ') != std::string_view::npos) return;
  PidValues values;
  const auto text = line.substr(at + 5);
  if (!gain(text, 'P', values.p) || !gain(text, 'I', values.i) || !gain(text, 'D', values.d)) {
    return;
  }
  (hotend < bed ? controllers_.hotend : controllers_.bed) = values;
  shared_.controllers.store(controllers_);
}

/// The `ok` of our M115.
void LinkCore::on_identity_unanswered(MonotonicTime now) {
  if (info_seen_) {
    info_seen_ = false;
    if (matched_) verified(now);
    return;
  }
  info_known_ = true;
  if (state_ == LinkState::ready) return;
  if (!config_.expected_uuid.empty() || !config_.expected_machine.empty()) return;
  matched_ = true;  // A firmware without M115, and nothing that it would have to match.
  verified(now);
}

}  // namespace firebreak::guard
