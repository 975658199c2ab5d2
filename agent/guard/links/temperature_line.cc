#include "agent/guard/links/temperature_line.h"

#include <cmath>

#include "agent/guard/links/report_scanner.h"

namespace firebreak::guard {
namespace {

/// A key such as `T`, `T1`, `B`, `@`, `B@`, `HBR@`, `B_0_0`, split into its meaning.
struct Key {
  enum class Sort : std::uint8_t { temperature, duty, wait, tool, skipped } sort = Sort::skipped;
  ReportedHeater heater = ReportedHeater::active_tool;
  std::uint8_t index = 0;
  bool chamber_or_cooler_duty = false;  ///< `C@`: three meanings, decided at the line's end.
  bool heatbreak = false;               ///< `X`, `HBR@`: only Prusa's Buddy boards have it.
  bool cooler = false;
};

bool is_key_char(char c) noexcept {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || Scanner::is_digit(c) || c == '_' ||
         c == '@';
}

bool one_digit(std::string_view text) noexcept {
  return text.size() == 1 && Scanner::is_digit(text[0]);
}

Key classify(std::string_view name) noexcept {
  Key key;
  if (name == "W") {
    key.sort = Key::Sort::wait;
  } else if (name == "E") {
    key.sort = Key::Sort::tool;
  } else if (name == "T" || (name.starts_with('T') && one_digit(name.substr(1)))) {
    key.sort = Key::Sort::temperature;
    key.heater = name.size() == 1 ? ReportedHeater::active_tool : ReportedHeater::hotend;
    key.index = name.size() == 1 ? 0 : static_cast<std::uint8_t>(name[1] - '0');
  } else if (name == "B" || name == "C") {
    key.sort = Key::Sort::temperature;
    key.heater = name == "B" ? ReportedHeater::bed : ReportedHeater::chamber;
  } else if (name == "@" || (name.starts_with('@') && one_digit(name.substr(1)))) {
    key.sort = Key::Sort::duty;
    key.heater = name.size() == 1 ? ReportedHeater::active_tool : ReportedHeater::hotend;
    key.index = name.size() == 1 ? 0 : static_cast<std::uint8_t>(name[1] - '0');
  } else if (name == "B@" || name == "C@") {
    key.sort = Key::Sort::duty;
    key.heater = name == "B@" ? ReportedHeater::bed : ReportedHeater::chamber;
    key.chamber_or_cooler_duty = name == "C@";
  } else {
    key.heatbreak = name == "X" || name == "HBR@";
    key.cooler = name == "L";
  }
  return key;
}

bool possible(float celsius) noexcept {
  return celsius >= lowest_possible_celsius && celsius <= highest_possible_celsius;
}

/// Reads one line; any doubt makes the whole line damaged.
class ReportReader {
 public:
  ReportReader(std::string_view text, ParsedLine& out) noexcept : in_(text), out_(out) {}

  ReportVerdict read() noexcept {
    while (in_.skip_blanks(), !in_.done()) {
      if (!read_item()) return ReportVerdict::damaged;
      if (!in_.done() && in_.peek() != ' ' && in_.peek() != '\t') return ReportVerdict::damaged;
    }
    return finish();
  }

 private:
  bool read_item() noexcept {
    const char c = in_.peek();
    if (Scanner::is_digit(c) || c == '-') return read_extra_heater();
    if (c == '(') return read_adc();
    std::size_t length = 0;
    const auto rest = in_.rest();
    while (length < rest.size() && is_key_char(rest[length])) ++length;
    if (length == 0 || length > 8 || length == rest.size() || rest[length] != ':') return false;
    const Key key = classify(rest.substr(0, length));
    in_.skip(length + 1);
    last_tool_ = nullptr;
    switch (key.sort) {
      case Key::Sort::temperature: return read_temperature(key);
      case Key::Sort::duty: return read_duty(key);
      case Key::Sort::wait: return read_wait();
      case Key::Sort::tool: return read_tool();
      case Key::Sort::skipped: return read_skipped(key);
    }
    return false;
  }

  /// `209.87`, `209.87 /210.00`, `210.02/210.00`, `21.30/ 0.00`.
  bool read_pair(float& celsius, float& target, bool& decimals) noexcept {
    bool target_decimals = false;
    if (!in_.take_number(celsius, decimals) || !possible(celsius)) return false;
    Scanner ahead = in_;
    ahead.skip_blanks();
    if (!ahead.take('/')) return true;
    in_ = ahead;
    in_.skip_blanks();
    return in_.take_number(target, target_decimals) && possible(target);
  }

  ReportedValue* add(ReportedHeater heater, std::uint8_t index) noexcept {
    if (out_.value_count >= ParsedLine::max_values) return nullptr;
    ReportedValue& value = out_.storage[out_.value_count++];
    value = ReportedValue{};
    value.heater = heater;
    value.index = index;
    return &value;
  }

  ReportedValue* find(ReportedHeater heater, std::uint8_t index) noexcept {
    for (std::size_t i = 0; i < out_.value_count; ++i) {
      auto& value = out_.storage[i];
      if (value.heater == heater && value.index == index) return &value;
    }
    return nullptr;
  }

  bool read_temperature(const Key& key) noexcept {
    float celsius = no_value, target = no_value;
    bool decimals = false;
    if (!read_pair(celsius, target, decimals)) return false;
    ReportedValue* value = find(key.heater, key.index);
    // A tool that repeats: Marlin 2.0.9 prints the active tool as `T0` first, then each tool under
    // its own number, so the last one is right. Any other key that repeats is two lines run
    // together.
    if (value != nullptr && key.heater != ReportedHeater::hotend) return false;
    if (value == nullptr) value = add(key.heater, key.index);
    if (value == nullptr) return false;
    value->celsius = celsius;
    value->target_celsius = target;
    bare_zero_ = celsius == 0 && !decimals && std::isnan(target);
    if (key.heater == ReportedHeater::hotend || key.heater == ReportedHeater::active_tool) {
      last_tool_ = value;
    }
    return true;
  }

  /// RepRapFirmware: ` 199.8 /200.0` after a tool is that tool's second heater.
  bool read_extra_heater() noexcept {
    if (last_tool_ == nullptr || last_tool_->heater != ReportedHeater::hotend) return false;
    const std::uint8_t tool = last_tool_->index;
    ReportedValue* value = add(ReportedHeater::tool_extra, tool);
    bool decimals = false;
    if (value == nullptr || !read_pair(value->celsius, value->target_celsius, decimals)) {
      return false;
    }
    last_tool_ = find(ReportedHeater::hotend, tool);
    return true;
  }

  /// A build that shows its ADC: ` (812.4)` behind a temperature.
  bool read_adc() noexcept {
    float count = 0;
    bool decimals = false;
    if (out_.value_count + out_.skipped == 0) return false;
    return in_.take('(') && in_.take_number(count, decimals) && in_.take(')');
  }

  bool read_duty(const Key& key) noexcept {
    float duty = 0;
    bool decimals = false;
    if (!in_.take_number(duty, decimals) || duty < 0 || duty > 1000) return false;
    const bool watts = in_.take('W');
    if (key.chamber_or_cooler_duty) {
      if (chamber_duty_seen_) cooler_seen_ = true;  // Chamber and cooler both print `C@`.
      chamber_duty_seen_ = true;
      chamber_duty_ = duty;
      chamber_duty_watts_ = watts;
      chamber_duty_decimals_ = decimals;
      return true;
    }
    ReportedValue* value = find(key.heater, key.index);
    if (value == nullptr && key.heater == ReportedHeater::active_tool) value = only_tool();
    if (value == nullptr) {
      ++out_.skipped;
      return true;
    }
    if (value->duty_unit != DutyUnit::none) return false;
    value->duty = duty;
    value->duty_unit = watts ? DutyUnit::watts : DutyUnit::steps;
    return true;
  }

  ReportedValue* only_tool() noexcept {
    ReportedValue* found = nullptr;
    for (std::size_t i = 0; i < out_.value_count; ++i) {
      auto& value = out_.storage[i];
      if (value.heater != ReportedHeater::hotend) continue;
      if (found != nullptr) return nullptr;
      found = &value;
    }
    return found;
  }

  bool read_wait() noexcept {
    out_.waits = true;
    if (in_.take('?')) return true;
    float seconds = 0;
    bool decimals = false;
    return in_.take_number(seconds, decimals);
  }

  /// Prusa MK3: `T:187.5 E:0 W:?`, where E is the tool that T belongs to.
  bool read_tool() noexcept {
    const char digit = in_.peek();
    ReportedValue* value = find(ReportedHeater::active_tool, 0);
    if (!Scanner::is_digit(digit) || value == nullptr) return false;
    in_.skip(1);
    const auto index = static_cast<std::uint8_t>(digit - '0');
    if (find(ReportedHeater::hotend, index) != nullptr) return false;
    value->heater = ReportedHeater::hotend;
    value->index = index;
    out_.waits = true;
    return true;
  }

  bool read_skipped(const Key& key) noexcept {
    float celsius = 0, target = 0;
    bool decimals = false;
    buddy_ |= key.heatbreak;
    cooler_seen_ |= key.cooler;
    if (!read_pair(celsius, target, decimals)) return false;
    ++out_.skipped;
    return true;
  }

  /// `C@` is the chamber's duty where there is `C:` and no cooler, on Buddy boards (Core One) the
  /// chamber's temperature, and else the cooler's duty.
  bool settle_chamber() noexcept {
    if (!chamber_duty_seen_) return true;
    ReportedValue* chamber = find(ReportedHeater::chamber, 0);
    if (chamber == nullptr && buddy_ && !chamber_duty_watts_) {
      if (!possible(chamber_duty_)) return false;
      chamber = add(ReportedHeater::chamber, 0);
      if (chamber == nullptr) return false;
      chamber->celsius = chamber_duty_;
    } else if (chamber != nullptr && !cooler_seen_ && !buddy_ && !chamber_duty_decimals_) {
      chamber->duty = chamber_duty_;
      chamber->duty_unit = chamber_duty_watts_ ? DutyUnit::watts : DutyUnit::steps;
    } else {
      ++out_.skipped;
    }
    return true;
  }

  ReportVerdict finish() noexcept {
    if (!settle_chamber()) return ReportVerdict::damaged;
    if (out_.value_count == 0) return ReportVerdict::no_report;
    if (out_.value_count == 1 && bare_zero_ && out_.skipped == 0 &&
        out_.storage[0].duty_unit == DutyUnit::none) {
      out_.value_count = 0;
      return ReportVerdict::not_ready;
    }
    out_.has_targets = true;
    for (const auto& value : out_.values()) {
      if (std::isnan(value.target_celsius)) out_.has_targets = false;
    }
    return ReportVerdict::report;
  }

  Scanner in_;
  ParsedLine& out_;
  ReportedValue* last_tool_ = nullptr;
  bool bare_zero_ = false;
  bool buddy_ = false;
  bool cooler_seen_ = false;
  bool chamber_duty_seen_ = false;
  bool chamber_duty_watts_ = false;
  bool chamber_duty_decimals_ = false;
  float chamber_duty_ = 0;
};

/// True if the first key is one that a report can begin with.
bool begins_report(std::string_view text) noexcept {
  std::size_t length = 0;
  while (length < text.size() && is_key_char(text[length])) ++length;
  if (length == 0 || length == text.size() || text[length] != ':') return false;
  return classify(text.substr(0, length)).sort == Key::Sort::temperature;
}

/// True if somewhere a tool's key stands where one could begin: a damaged report, not other text.
bool smells_of_report(std::string_view text) noexcept {
  for (std::size_t i = 0; i + 2 < text.size(); ++i) {
    if (text[i] != 'T' && text[i] != 'B') continue;
    const bool at_start = i == 0 || text[i - 1] == ' ' || text[i - 1] == '=' ||
                          text[i - 1] == 'T' || static_cast<signed char>(text[i - 1]) < ' ';
    const std::size_t colon = Scanner::is_digit(text[i + 1]) ? i + 2 : i + 1;
    if (at_start && colon < text.size() && text[colon] == ':') return true;
  }
  return false;
}

}  // namespace

ReportVerdict parse_temperatures(std::string_view text, ParsedLine& out) noexcept {
  if (!begins_report(text)) {
    return smells_of_report(text) ? ReportVerdict::damaged : ReportVerdict::no_report;
  }
  const auto verdict = ReportReader(text, out).read();
  if (verdict != ReportVerdict::report) {
    out.value_count = 0;
    out.skipped = 0;
    out.waits = false;
  }
  return verdict;
}

}  // namespace firebreak::guard
