#include "agent/guard/links/klipper_session.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>

#include "agent/guard/links/heater_map.h"
#include "agent/guard/links/identity.h"
#include "common/base/escape.h"

namespace firebreak::guard::klipper {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// While klippy is not ready its state is asked for; once subscribed it is pushed.
constexpr milliseconds ask_state_every{500};
/// A value that does not change is a reading once a second, as a firmware would report it.
constexpr seconds unchanged_counts_every{1};
/// docs/safety.md: ask at 2 s of silence.
constexpr seconds silence_asks_after{2};
/// Klippy pushes four times a second; its host may stall for a moment.
constexpr seconds silence_is_absence{3};
constexpr seconds silence_ends_connection{10};
/// A board that comes back behind its relay takes a while; asked again until klippy is ready.
constexpr seconds restart_again_every{15};
constexpr seconds revival_longest{5};

std::int64_t count_ns(MonotonicTime time) noexcept { return time.time_since_epoch().count(); }

std::string_view first_line(std::string_view text) { return text.substr(0, text.find('\n')); }

}  // namespace

Session::Session(const PrinterConfig& config, PrinterShared& shared, LinkEvents& events)
    : config_(config), shared_(shared), notebook_(events) {}

void Session::become(LinkState state, std::string_view why) {
  LinkDetail detail;
  (void)escape_untrusted_into(why, std::span(detail.text, sizeof(detail.text) - 1));
  shared_.detail.store(detail);
  shared_.link_state.store(state);
}

bool Session::silent(MonotonicTime now) const noexcept {
  return connected_ && now - heard_at_ > silence_ends_connection;
}

/// A connection on which nothing comes is none: it must not look ready.
void Session::follow_silence(MonotonicTime now) {
  if (mute_ || now - heard_at_ <= silence_is_absence) return;
  mute_ = true;
  before_mute_ = shared_.link_state.load();
  shared_.detail.load(why_before_mute_);
  const auto* why = junk_heard_ ? "klippy sends what is no message" : "klippy does not answer";
  become(LinkState::absent, why);
  note(LinkNote::port_refused, NoteSeverity::warning, why, {}, now);
}

void Session::end_silence() {
  junk_heard_ = false;
  if (!std::exchange(mute_, false)) return;
  shared_.detail.store(why_before_mute_);
  shared_.link_state.store(before_mute_);
}

void Session::opened(MonotonicTime now) {
  connected_ = true;
  broken_ = false;
  unfinished_.clear();
  output_.clear();
  output_.push_back(ask_info());
  info_asked_ = true;
  state_ = HostState::unknown;
  subscribed_at_ = {};
  asked_at_ = heard_at_ = now;
  junk_heard_ = mute_ = false;
  verified_ = false;
  names_ = {};
  stored_at_ = {};
  told_ = {};
  become(LinkState::opening, "connected to klippy");
  note(LinkNote::port_opened, NoteSeverity::info, "connected to klippy's socket", {}, now);
}

void Session::lost(std::string_view why, bool blocked, MonotonicTime now) {
  if (connected_) {
    raise(link_event::port_lost);
    note(LinkNote::port_lost, NoteSeverity::warning, "klippy's socket is gone: ", why, now);
  } else if (blocked) {
    note(LinkNote::port_blocked, NoteSeverity::warning, {}, why, now);
  }
  // What comes back after a loss has restarted.
  if (was_ready_) boot_told_ = false;
  connected_ = false;
  unfinished_.clear();
  output_.clear();
  shared_.printing.store(0);
  become(blocked ? LinkState::blocked : LinkState::absent, why);
}

std::vector<std::string> Session::take_output() { return std::exchange(output_, {}); }

void Session::received(std::string_view bytes, MonotonicTime now) {
  while (!bytes.empty() && !broken_) {
    const auto end = bytes.find(message_end);
    const auto part = bytes.substr(0, end);
    if (unfinished_.size() + part.size() > message_bytes_max) {
      broken_ = true;
      ++readings_.bad_lines;
      note(LinkNote::junk, NoteSeverity::warning, "klippy sent a message that does not end", {},
           now);
      return;
    }
    if (end == std::string_view::npos) {
      unfinished_ += part;
      break;
    }
    if (unfinished_.empty()) {
      on_message(part, now);
    } else {
      unfinished_ += part;
      on_message(unfinished_, now);
      unfinished_.clear();
      unfinished_.shrink_to_fit();
    }
    bytes.remove_prefix(end + 1);
  }
  shared_.readings.store(readings_);
}

void Session::on_message(std::string_view text, MonotonicTime now) {
  const auto message = read_message(text, names_);
  if (!message) {
    ++readings_.bad_lines;
    junk_heard_ = true;
    note(LinkNote::junk, NoteSeverity::warning, "klippy sent what is no message: ", text, now);
    return;
  }
  ++readings_.lines;
  readings_.line_at_ns = count_ns(now);
  heard_at_ = now;
  end_silence();
  on_answer(*message, text, now);
  if (message->state) on_state(*message->state, message->state_message, now);
  if (message->has_status) on_status(*message, now);
}

void Session::on_answer(const Message& message, std::string_view text, MonotonicTime now) {
  switch (message.answers) {
    case question::info:
      info_asked_ = false;
      if (!message.software.empty()) software_ = message.software;
      if (!message.hostname.empty()) hostname_ = message.hostname;
      break;
    case question::objects:
      if (message.objects.empty()) break;
      names_ = name_heaters(config_.profile, message.objects);
      for (const auto& heater : names_.unwatched) {
        note(LinkNote::weak_protection, NoteSeverity::warning,
             "this heater of Klipper is in no profile and nobody watches it: ", heater, now);
      }
      output_.push_back(ask_settings());
      output_.push_back(ask_subscribe(names_, message.objects));
      break;
    case question::settings: on_settings(text, now); break;
    case question::subscribe: subscribed_at_ = now; break;
    case question::order:
      // A refusal ends the order too: whoever gave it sees that no target follows.
      shared_.own_order_done.store(orders_sent_);
      break;
    default: break;
  }
}

void Session::on_settings(std::string_view text, MonotonicTime now) {
  auto settings = read_settings(text, names_);
  if (!settings) return;
  settings_ = std::move(*settings);
  shared_.firmware_limits.store(settings_.limits);
  const auto& heaters = config_.profile.heaters;
  for (std::size_t i = 0; i < std::min(heaters.size(), max_heaters); ++i) {
    const auto& limit = settings_.limits[i];
    if (limit.verify == FirmwareLimit::Verify::weakened ||
        limit.verify == FirmwareLimit::Verify::absent) {
      note(LinkNote::weak_protection, NoteSeverity::warning,
           "verify_heater is weaker than Klipper's default for ", names_.object[i], now);
    }
  }
  check_identity(now);
}

void Session::check_identity(MonotonicTime now) {
  const std::string firmware = "Klipper " + software_;
  const IdentityText text{firmware, hostname_, settings_.board};
  PrinterIdentity identity;
  describe_identity(text, identity);
  shared_.identity.store(identity);
  if (!identity_matches(text, config_)) {
    verified_ = false;
    raise(link_event::wrong_identity);
    become(LinkState::wrong_printer, "another board answers than the configured one");
    note(LinkNote::wrong_printer, NoteSeverity::alarm,
         "another printer answers on this socket: ", settings_.board, now);
    return;
  }
  if (verified_) return;
  verified_ = true;
  raise(link_event::identity_verified);
  note(LinkNote::identified, NoteSeverity::info, "the printer is identified: ", firmware, now);
  if (state_ == HostState::ready) become(LinkState::ready, {});
}

void Session::on_state(HostState state, std::string_view words, MonotonicTime now) {
  if (state == state_) return;
  const bool first = state_ == HostState::unknown;
  state_ = state;
  const auto line = first_line(words);
  switch (state) {
    case HostState::ready:
      // Klippy that was up when the guard came is no news; after anything else it has booted.
      if (!boot_told_) {
        raise(link_event::boot_banner);
        note(LinkNote::booted, NoteSeverity::info, "klippy is ready again", {}, now);
      }
      boot_told_ = was_ready_ = true;
      if (verified_) become(LinkState::ready, {});
      break;
    case HostState::shutdown:
      boot_told_ = false;
      shared_.printing.store(0);
      raise(link_event::halt_text);
      become(LinkState::halted, line);
      note(LinkNote::halted, NoteSeverity::alarm, "klippy is shut down: ", line, now);
      break;
    case HostState::error:
      boot_told_ = false;
      become(LinkState::misconfigured, line);
      note(LinkNote::port_refused, NoteSeverity::warning,
           "klippy refuses its configuration: ", line, now);
      break;
    case HostState::startup:
    case HostState::unknown:
      if (!first) boot_told_ = false;
      become(LinkState::opening, "klippy is starting");
      break;
  }
}

void Session::on_status(const Message& message, MonotonicTime now) {
  if (message.printing) shared_.printing.store(*message.printing ? 1 : 0);
  if (std::isfinite(message.fan)) readings_.fan = message.fan;
  if (std::isfinite(message.extruder_mm_per_s)) {
    readings_.flow_mm3_per_s = std::max(0.0F, message.extruder_mm_per_s) * settings_.filament_mm2;
  }
  // Until the board is known to be the configured one, nothing that it says counts.
  if (verified_) store_status(message, now);
}

void Session::store_status(const Message& message, MonotonicTime now) {
  const auto heaters = std::min(config_.profile.heaters.size(), max_heaters);
  const bool ready = state_ == HostState::ready;
  HeaterSamples samples;
  for (std::size_t i = 0; i < heaters; ++i) {
    const auto& said = message.heaters[i];
    auto& told = told_[i];
    const bool changed = std::isfinite(said.celsius) && said.celsius != told.celsius;
    if (std::isfinite(said.celsius)) told.celsius = said.celsius;
    if (std::isfinite(said.target_celsius)) told.target_celsius = said.target_celsius;
    if (std::isfinite(said.power)) told.power = said.power;
    const bool due = ready && now - stored_at_[i] >= unchanged_counts_every;
    if ((changed || due) && !names_.object[i].empty()) {
      samples.celsius[i] = told.celsius;
      stored_at_[i] = now;
    }
    samples.target[i] = ready ? told.target_celsius : 0.0F;
    samples.duty[i] = ready ? told.power : 0.0F;
    if (samples.target[i] > 0) raise(link_event::target_positive);
    if (samples.duty[i] > 0) raise(link_event::duty_positive);
  }
  raise(store(samples, heaters, count_ns(now), readings_));
}

void Session::follow_orders(MonotonicTime now) {
  OwnOrder order;
  if (shared_.commissioning.load() == 0 || state_ != HostState::ready) return;
  if (!shared_.own_order.load(order) || order.serial == orders_sent_) return;
  orders_sent_ = order.serial;
  if (count_ns(now) > order.until_ns) return;
  output_.push_back(ask_order({order.line, strnlen(order.line, sizeof(order.line))}));
}

/// A board is revived by FIRMWARE_RESTART. Where its power is behind the relay, which is still
/// open, nothing answers now; it is asked again until klippy is ready.
void Session::follow_revival(MonotonicTime now) {
  const auto wanted = shared_.revival_request.load();
  const auto mode = shared_.link_mode.load();
  const bool asked = wanted != shared_.revival_done.load();
  const bool reviving = asked || mode == LinkMode::probation;
  if (!reviving) {
    revival_at_ = restart_asked_at_ = {};
    return;
  }
  if (revival_at_ == MonotonicTime{}) revival_at_ = now;
  const bool stands = state_ == HostState::shutdown || state_ == HostState::error;
  const bool again =
      restart_asked_at_ == MonotonicTime{} || now - restart_asked_at_ >= restart_again_every;
  if (connected_ && stands && again) {
    restart_asked_at_ = now;
    output_.push_back(ask_firmware_restart());
    note(LinkNote::revival, NoteSeverity::info, "klippy is told FIRMWARE_RESTART", {}, now);
  }
  const bool over = state_ == HostState::ready || now - revival_at_ >= revival_longest;
  if (asked && over) shared_.revival_done.store(wanted);
}

void Session::tick(MonotonicTime now) {
  follow_revival(now);
  if (!connected_) return;
  follow_orders(now);
  follow_silence(now);
  const bool heard = now - heard_at_ < silence_asks_after;
  const bool settled = subscribed() && state_ == HostState::ready && heard;
  if (settled || info_asked_ || now - asked_at_ < ask_state_every) return;
  asked_at_ = now;
  info_asked_ = true;
  output_.push_back(ask_info());
  const bool can_list = state_ == HostState::ready || state_ == HostState::shutdown;
  if (!subscribed() && can_list) output_.push_back(ask_objects());
}

}  // namespace firebreak::guard::klipper
