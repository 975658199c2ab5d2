#include "agent/uplink/printers/bambu_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "common/base/json_nesting.h"

namespace firebreak::uplink {
namespace {

using nlohmann::json;

/// Readings outside are damage; the guard has the same bounds for every source.
constexpr double coldest_celsius = -50;
constexpr double hottest_celsius = 1000;
/// Fans are told in 15 steps.
constexpr double fan_steps = 15;
/// Bit 29 of the hexadecimal text `fun`.
constexpr std::uint64_t signature_bit = std::uint64_t{1} << 29;

const json* find(const json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

const json* find_object(const json& object, const char* key) {
  const json* value = find(object, key);
  return value != nullptr && value->is_object() ? value : nullptr;
}

std::string_view text_of(const json& object, const char* key) {
  const json* value = find(object, key);
  if (value == nullptr || !value->is_string()) return {};
  return value->get_ref<const std::string&>();
}

std::optional<std::uint32_t> code_of(const json& object, const char* key) {
  const json* value = find(object, key);
  if (value == nullptr || !value->is_number_integer()) return {};
  // Firmware prints some codes as signed numbers; the bits are the same.
  return static_cast<std::uint32_t>(value->get<std::int64_t>());
}

/// At most `bambu_text_bytes_max` bytes, never half a character.
std::string shortened(std::string_view text) {
  if (text.size() <= bambu_text_bytes_max) return std::string(text);
  std::size_t end = bambu_text_bytes_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return std::string(text.substr(0, end));
}

template <class Number>
std::optional<Number> parsed(std::string_view text, int base) {
  Number value{};
  const auto end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value, base);
  if (result.ec != std::errc{} || result.ptr != end) return {};
  return value;
}

bool is_success(std::string_view word) {
  constexpr std::string_view success = "success";
  return std::equal(word.begin(), word.end(), success.begin(), success.end(), [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
  });
}

BambuReport answer_of(const json& print) {
  BambuReport report;
  report.kind = BambuReport::Kind::answer;
  report.command = shortened(text_of(print, "command"));
  report.sequence_id = shortened(text_of(print, "sequence_id"));
  report.accepted = is_success(text_of(print, "result"));
  report.error_code = code_of(print, "err_code").value_or(0);
  return report;
}

bool off(const BambuHeater& heater) { return heater.target_celsius == 0; }
/// A printer without that heater never tells of it; one that has it must have told 0.
bool off_or_absent(const BambuHeater& heater) {
  return std::isnan(heater.target_celsius) || off(heater);
}

struct Said {
  std::string words;
  bool thermal_fault;
};

Said said(HmsCode code) {
  const auto meaning = meaning_of(code);
  if (!meaning) return {written(code), false};
  return {fmt::format("{} ({})", meaning->words, written(code)), meaning->thermal_fault};
}

Said said_print_error(std::uint32_t code) {
  const auto meaning = meaning_of_print_error(code);
  if (!meaning) return {"error " + written_print_error(code), false};
  return {fmt::format("{} ({})", meaning->words, written_print_error(code)),
          meaning->thermal_fault};
}

}  // namespace

bool BambuState::printing() const {
  return gcode_state == "RUNNING" || gcode_state == "PREPARE" || gcode_state == "PAUSE" ||
         gcode_state == "SLICING";
}

bool BambuState::heaters_off() const {
  return off(hotend) && off(bed) && (!two_nozzles || off(hotend1)) && off_or_absent(chamber);
}

bool BambuState::at_rest() const {
  const bool no_job = gcode_state == "IDLE" || gcode_state == "FINISH" || gcode_state == "FAILED";
  return no_job && heaters_off();
}

Result<BambuReport> BambuReports::take(std::string_view payload, MonotonicTime arrived) {
  Result<BambuReport> report = fail(ErrorCode::bad_input, "");
  if (payload.size() > bambu_report_bytes_max) {
    report = fail(ErrorCode::bad_input, fmt::format("a report of {} bytes; at most {}",
                                                    payload.size(), bambu_report_bytes_max));
  } else if (!nesting_within(payload, bambu_report_depth_max)) {
    report = fail(ErrorCode::bad_input,
                  fmt::format("a report nested deeper than {}", bambu_report_depth_max));
  } else {
    // Doubled keys pass, the last one counts: nobody but us reads this text, and refusing all of a
    // sloppy firmware's reports would leave its printer blind.
    report = merge(json::parse(payload, nullptr, false), arrived);
  }
  if (!report) ++refused_;
  return report;
}

Result<BambuReport> BambuReports::merge(const json& report, MonotonicTime arrived) {
  if (!report.is_object()) {
    return fail(ErrorCode::bad_input, "a report that is no JSON object, or cut off");
  }
  if (const json* print = find(report, "print")) {
    if (!print->is_object()) return fail(ErrorCode::bad_input, "a report without its content");
    if (text_of(*print, "command") != "push_status") return answer_of(*print);
    merge_status(*print, arrived);
    return BambuReport{BambuReport::Kind::status, {}, {}, false, 0};
  }
  if (const json* info = find_object(report, "info")) {
    if (text_of(*info, "command") == "get_version") {
      merge_version(*info);
      return BambuReport{BambuReport::Kind::version, {}, {}, false, 0};
    }
  }
  return BambuReport{};
}

void BambuReports::merge_status(const json& print, MonotonicTime arrived) {
  state_.heard_at = arrived;
  // With two nozzles these two fields are those of the one in use: the packed ones say which.
  if (!state_.two_nozzles) {
    merge_heater(state_.hotend, print, "nozzle_temper", "nozzle_target_temper", arrived);
  }
  merge_heater(state_.bed, print, "bed_temper", "bed_target_temper", arrived);
  merge_heater(state_.chamber, print, "chamber_temper", "chamber_target_temper", arrived);
  if (const json* device = find_object(print, "device")) merge_device(*device, arrived);
  merge_text(state_.gcode_state, print, "gcode_state");
  merge_text(state_.job, print, "subtask_name");
  if (const auto fan = parsed<int>(text_of(print, "cooling_fan_speed"), 10)) {
    state_.fan = std::clamp(*fan / fan_steps, 0.0, 1.0);
  }
  if (const auto fun = parsed<std::uint64_t>(text_of(print, "fun"), 16)) {
    state_.orders_need_signature = (*fun & signature_bit) != 0;
  }
  merge_troubles(print);
}

double BambuReports::celsius_of(const json& value) {
  const double celsius = value.is_number() ? value.get<double>() : unknown_number;
  if (celsius >= coldest_celsius && celsius <= hottest_celsius) return celsius;
  ++damaged_fields_;
  return unknown_number;
}

void BambuReports::merge_heater(BambuHeater& heater, const json& print, const char* celsius,
                                const char* target, MonotonicTime arrived) {
  if (const json* value = find(print, celsius)) {
    heater.celsius = celsius_of(*value);
    heater.told_at = arrived;
    heater.fine = true;
  }
  if (const json* value = find(print, target)) heater.target_celsius = celsius_of(*value);
}

void BambuReports::merge_packed(BambuHeater& heater, const json& part, MonotonicTime arrived) {
  const json* value = find(part, "temp");
  if (value == nullptr || heater.fine) return;
  if (!value->is_number_unsigned() || value->get<std::uint64_t>() > 0xFFFFFFFF) {
    heater.celsius = unknown_number;
    ++damaged_fields_;
    return;
  }
  const auto packed = value->get<std::uint32_t>();
  heater.celsius = celsius_of(packed & 0xFFFF);
  heater.target_celsius = celsius_of(packed >> 16);
  heater.told_at = arrived;
}

void BambuReports::merge_device(const json& device, MonotonicTime arrived) {
  if (const json* extruder = find_object(device, "extruder")) {
    const json* nozzles = find(*extruder, "info");
    for (std::size_t i = 0; nozzles != nullptr && nozzles->is_array() && i < nozzles->size(); ++i) {
      const auto id = code_of((*nozzles)[i], "id");
      if (id == 1U && !state_.two_nozzles) {
        state_.two_nozzles = true;
        state_.hotend.fine = false;
      }
      if (id == 0U) merge_packed(state_.hotend, (*nozzles)[i], arrived);
      if (id == 1U) merge_packed(state_.hotend1, (*nozzles)[i], arrived);
    }
  }
  const auto merge_part = [&](const char* name, BambuHeater& heater) {
    const json* part = find_object(device, name);
    const json* info = part == nullptr ? nullptr : find_object(*part, "info");
    if (info != nullptr) merge_packed(heater, *info, arrived);
  };
  merge_part("bed", state_.bed);
  merge_part("ctc", state_.chamber);
}

void BambuReports::merge_text(std::string& text, const json& object, const char* key) {
  const json* value = find(object, key);
  if (value == nullptr) return;
  if (value->is_string()) {
    text = shortened(value->get_ref<const std::string&>());
  } else {
    ++damaged_fields_;
  }
}

void BambuReports::merge_troubles(const json& print) {
  if (const auto code = code_of(print, "print_error")) state_.print_error = *code;
  const json* list = find(print, "hms");
  if (list == nullptr) return;
  if (!list->is_array()) {
    ++damaged_fields_;
    return;
  }
  state_.hms.clear();
  for (const json& entry : *list) {
    const auto attr = code_of(entry, "attr");
    const auto code = code_of(entry, "code");
    if (!attr || !code) {
      ++damaged_fields_;
    } else if (state_.hms.size() < bambu_hms_max) {
      state_.hms.push_back({*attr, *code});
    }
  }
}

void BambuReports::merge_version(const json& info) {
  const json* modules = find(info, "module");
  if (modules == nullptr || !modules->is_array()) return;
  for (const json& module : *modules) {
    // "ota" is the printer as a whole; the others are its boards.
    if (text_of(module, "name") != "ota") continue;
    merge_text(state_.firmware, module, "sw_ver");
    merge_text(state_.machine, module, "product_name");
    merge_text(state_.serial, module, "sn");
  }
}

std::vector<HeaterFacts> heaters_at(const BambuState& state, MonotonicTime now) {
  std::vector<HeaterFacts> heaters;
  const auto add = [&](const char* name, const BambuHeater& heater) {
    if (!heater.told_at) return;
    HeaterFacts facts;
    facts.name = name;
    if (now - *heater.told_at <= bambu_value_holds) facts.celsius = heater.celsius;
    facts.target_celsius = heater.target_celsius;
    heaters.push_back(std::move(facts));
  };
  add("hotend", state.hotend);
  add("hotend1", state.hotend1);
  add("bed", state.bed);
  add("chamber", state.chamber);
  return heaters;
}

std::string troubles_in_words(const BambuState& state) {
  constexpr std::size_t most = 3;
  std::vector<Said> all;
  for (const HmsCode code : state.hms) all.push_back(said(code));
  if (state.print_error != 0) all.push_back(said_print_error(state.print_error));
  std::stable_partition(all.begin(), all.end(), [](const Said& s) { return s.thermal_fault; });
  std::string text;
  for (std::size_t i = 0; i < std::min(all.size(), most); ++i) {
    text += (i == 0 ? "" : "; ") + all[i].words;
  }
  if (all.size() > most) text += fmt::format("; {} more", all.size() - most);
  return text;
}

std::string new_thermal_fault(const BambuState& before, const BambuState& now) {
  for (const HmsCode code : now.hms) {
    const bool known = std::find(before.hms.begin(), before.hms.end(), code) != before.hms.end();
    if (auto trouble = said(code); trouble.thermal_fault && !known) return trouble.words;
  }
  if (now.print_error != before.print_error) {
    if (auto trouble = said_print_error(now.print_error); trouble.thermal_fault) {
      return trouble.words;
    }
  }
  return {};
}

}  // namespace firebreak::uplink
