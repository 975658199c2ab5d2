#include "agent/guard/links/uplink_session.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <utility>

#include "agent/guard/links/heater_map.h"
#include "agent/guard/links/identity.h"
#include "common/base/escape.h"
#include "common/base/json_nesting.h"

namespace firebreak::guard {
namespace {

using nlohmann::json;

constexpr int depth_max = 6;
/// An age beyond this is no reading any more.
constexpr double age_longest_s = 3600;
/// Readings of heaters outside are damage (links/report_parser.h has the same bounds).
constexpr float coldest_celsius = -50;
constexpr float hottest_celsius = 1000;
/// For a printer that cannot be revived from here: the machine then judges by what it says.
constexpr std::chrono::seconds revival_longest{10};

const json* find(const json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

std::string_view text_of(const json& object, const char* key) {
  const json* value = find(object, key);
  if (value == nullptr || !value->is_string()) return {};
  return value->get_ref<const std::string&>();
}

float number(const json& object, const char* key, float least, float most) {
  const json* value = find(object, key);
  if (value == nullptr || !value->is_number()) return unknown;
  const auto read = value->get<float>();
  return read >= least && read <= most ? read : unknown;
}

bool flag(const json& object, const char* key) {
  const json* value = find(object, key);
  return value != nullptr && value->is_boolean() && value->get<bool>();
}

std::optional<LinkState> link_state(std::string_view word) {
  if (word == "absent") return LinkState::absent;
  if (word == "opening") return LinkState::opening;
  if (word == "ready") return LinkState::ready;
  if (word == "halted") return LinkState::halted;
  if (word == "wrong_printer") return LinkState::wrong_printer;
  if (word == "blocked") return LinkState::blocked;
  if (word == "misconfigured") return LinkState::misconfigured;
  return {};
}

std::uint32_t link_event_of(std::string_view word) {
  if (word == "halt_text") return link_event::halt_text;
  if (word == "thermal_fault") return link_event::thermal_fault;
  if (word == "boot") return link_event::boot_banner;
  if (word == "wrong_identity") return link_event::wrong_identity;
  return 0;
}

/// Seconds since the source measured; nothing if the line does not say it.
std::optional<double> age_s(const json& reading) {
  const json* age = find(reading, "age_ms");
  if (age == nullptr || !age->is_number()) return {};
  const double seconds = age->get<double>() * 1e-3;
  if (!(seconds >= 0) || seconds > age_longest_s) return {};
  return seconds;
}

HeaterSamples samples_of(const json& reading, const PrinterProfile& profile) {
  HeaterSamples samples;
  const json* heaters = find(reading, "heaters");
  if (heaters == nullptr) return samples;
  for (std::size_t i = 0; i < std::min(profile.heaters.size(), max_heaters); ++i) {
    const json* heater = find(*heaters, profile.heaters[i].name.c_str());
    if (heater == nullptr) continue;
    samples.celsius[i] = number(*heater, "celsius", coldest_celsius, hottest_celsius);
    samples.target[i] = number(*heater, "target", 0, hottest_celsius);
    samples.duty[i] = number(*heater, "duty", 0, 1);
  }
  return samples;
}

}  // namespace

UplinkSession::UplinkSession(const PrinterConfig& config, PrinterShared& shared, LinkEvents& events)
    : config_(config), shared_(shared), notebook_(events) {}

void UplinkSession::become(LinkState state, std::string_view why) {
  LinkDetail detail;
  (void)escape_untrusted_into(why, std::span(detail.text, sizeof(detail.text) - 1));
  shared_.detail.store(detail);
  state_ = state;
  shared_.link_state.store(state);
}

void UplinkSession::opened(MonotonicTime now) {
  unfinished_.clear();
  heard_at_ = now;
  revival_asked_ = shared_.revival_done.load();
  become(LinkState::opening, "the uplink connects to the printer");
  notebook_.note(LinkNote::port_opened, NoteSeverity::info, "the uplink serves this printer", {},
                 now);
}

void UplinkSession::lost(std::string_view why, MonotonicTime now) {
  unfinished_.clear();
  shared_.printing.store(0);
  shared_.protection_verified.store(0);
  shared_.events.fetch_or(link_event::port_lost);
  become(LinkState::absent, why);
  notebook_.note(LinkNote::port_lost, NoteSeverity::warning, "the uplink is gone: ", why, now);
}

/// Whatever the uplink is configured to expect: guard.yaml has the last word on who answers.
void UplinkSession::on_link(LinkState state, const json& value, MonotonicTime now) {
  IdentityText text;
  if (const json* identity = find(value, "identity")) {
    text = {text_of(*identity, "firmware"), text_of(*identity, "machine"),
            text_of(*identity, "uuid")};
    PrinterIdentity known;
    describe_identity(text, known);
    shared_.identity.store(known);
  }
  const bool answers = state == LinkState::ready || state == LinkState::halted;
  if (!answers || identity_matches(text, config_)) {
    if (answers) wrong_told_ = false;
    return become(state, text_of(value, "why"));
  }
  become(LinkState::wrong_printer, "another printer answers than the one in guard.yaml");
  if (std::exchange(wrong_told_, true)) return;
  shared_.events.fetch_or(link_event::wrong_identity);
  notebook_.note(LinkNote::wrong_printer, NoteSeverity::alarm,
                 "another printer answers at this address: ", text.machine, now);
}

bool UplinkSession::received(std::string_view bytes, MonotonicTime now) {
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    unfinished_ += bytes.substr(0, std::min(end, line_bytes_max + 1));
    if (unfinished_.size() > line_bytes_max) return false;
    if (end == std::string_view::npos) break;
    if (!on_line(unfinished_, now)) return false;
    unfinished_.clear();
    bytes.remove_prefix(end + 1);
  }
  return true;
}

bool UplinkSession::on_line(std::string_view line, MonotonicTime now) {
  const auto value = nesting_within(line, depth_max) ? json::parse(line, nullptr, false) : json();
  if (!value.is_object()) {
    notebook_.note(LinkNote::junk, NoteSeverity::warning, "the uplink sent what is no line: ", line,
                   now);
    return false;
  }
  heard_at_ = now;
  const auto now_ns = now.time_since_epoch().count();
  ++readings_.lines;
  if (const auto state = link_state(text_of(value, "link"))) on_link(*state, value, now);
  if (find(value, "link") != nullptr) {
    shared_.printing.store(flag(value, "printing") ? 1 : 0);
    shared_.protection_verified.store(flag(value, "protection_verified") ? 1 : 0);
  }
  if (const json* events = find(value, "events"); events != nullptr && events->is_array()) {
    for (const auto& event : *events) {
      if (!event.is_string()) continue;
      const auto raised = link_event_of(event.get_ref<const std::string&>());
      shared_.events.fetch_or(raised);
      if (raised == link_event::halt_text || raised == link_event::thermal_fault) {
        notebook_.note(LinkNote::halted, NoteSeverity::alarm,
                       "the printer says: ", text_of(value, "text"), now);
      }
    }
  }
  const auto done = text_of(value, "done");
  // Confirmed by the printer itself: the uplink never says so of what was only sent.
  if (done == "stop" && flag(value, "ok")) shared_.events.fetch_or(link_event::halt_text);
  if (done == "revive") shared_.revival_done.store(shared_.revival_request.load());

  const json* reading = find(value, "reading");
  if (reading == nullptr || (state_ != LinkState::ready && state_ != LinkState::halted)) {
    shared_.readings.store(readings_);
    return true;
  }
  auto samples = samples_of(*reading, config_.profile);
  const auto heaters = std::min(config_.profile.heaters.size(), max_heaters);
  for (std::size_t i = 0; i < heaters; ++i) {
    if (samples.target[i] > 0) shared_.events.fetch_or(link_event::target_positive);
    if (samples.duty[i] > 0) shared_.events.fetch_or(link_event::duty_positive);
  }
  readings_.fan = number(*reading, "fan", 0, 1);
  readings_.flow_mm3_per_s = unknown;
  const auto age = age_s(*reading);
  const auto at_ns = age ? now_ns - static_cast<std::int64_t>(*age * 1e9) : 0;
  // An older answer than the last one says nothing new.
  if (at_ns > reading_at_ns_) {
    reading_at_ns_ = at_ns;
    // The printer was heard then; the uplink's own lines say nothing of it.
    readings_.line_at_ns = at_ns;
    shared_.events.fetch_or(store(samples, heaters, at_ns, readings_));
  }
  shared_.readings.store(readings_);
  return true;
}

std::string UplinkSession::next_output(MonotonicTime now) {
  const auto wanted = shared_.revival_request.load();
  if (wanted == shared_.revival_done.load()) return {};
  if (wanted == revival_asked_) {
    if (now - revival_at_ > revival_longest) shared_.revival_done.store(wanted);
    return {};
  }
  revival_asked_ = wanted;
  revival_at_ = now;
  return "{\"do\":\"revive\"}\n";
}

}  // namespace firebreak::guard
