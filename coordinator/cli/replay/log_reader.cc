#include "coordinator/cli/replay/log_reader.h"

#include <array>
#include <charconv>
#include <cmath>
#include <string>

#include "agent/guard/links/report_parser.h"
#include "agent/guard/proxy/extrusion_tracker.h"
#include "agent/guard/proxy/host_line.h"

namespace firebreak::cli::replay {
namespace {

using guard::HeaterKind;
using guard::ReportedHeater;

std::string_view take_line(std::string_view& text) {
  const auto end = text.find('\n');
  auto line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

template <class T>
bool take_number(std::string_view& text, T& value) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec != std::errc{}) return false;
  text.remove_prefix(static_cast<std::size_t>(result.ptr - text.data()));
  return true;
}

/// `2026-03-01 12:34:56,789 - `: seconds since some midnight; false for any other beginning.
bool take_octoprint_time(std::string_view& line, double& t_s) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, milli = 0;
  const auto sign = [&](char c) {
    if (line.empty() || line.front() != c) return false;
    line.remove_prefix(1);
    return true;
  };
  const auto part = [&](int& value) { return take_number(line, value) && value >= 0; };
  const bool good = part(year) && sign('-') && part(month) && sign('-') && part(day) && sign(' ') &&
                    part(hour) && sign(':') && part(minute) && sign(':') && part(second) &&
                    sign(',') && part(milli) && line.starts_with(" - ");
  if (!good) return false;
  line.remove_prefix(3);
  // Days since 0000-03-01 (Gregorian), so that a print may cross the end of a month.
  const int shifted = month <= 2 ? year - 1 : year;
  const int month_days = (153 * ((month + 9) % 12) + 2) / 5;
  const long days = 365L * shifted + shifted / 4 - shifted / 100 + shifted / 400 + month_days + day;
  t_s = static_cast<double>(days) * 86400 + hour * 3600 + minute * 60 + second + milli * 1e-3;
  return true;
}

/// Reports of one log, with what the lines in between have set.
class OctoPrintLog {
 public:
  explicit OctoPrintLog(Trace& trace) : trace_(trace) {}

  void sent(std::string_view line, double t_s) {
    const auto host = guard::parse_host_line(line);
    if (host.fan >= 0) fan_ = static_cast<float>(host.fan) / 255;
    extrusion_.take(line, static_cast<std::int64_t>(t_s * 1e9));
  }

  void received(std::string_view line, double t_s) {
    const auto parsed = guard::parse_line(line);
    std::array<bool, 3> told{};
    for (const auto& value : parsed.values()) {
      HeaterKind kind = HeaterKind::hotend;
      if (value.heater == ReportedHeater::bed) kind = HeaterKind::bed;
      if (value.heater == ReportedHeater::chamber) kind = HeaterKind::chamber;
      const bool other_tool = kind == HeaterKind::hotend &&
                              (value.heater == ReportedHeater::tool_extra || value.index > 0);
      const auto place = static_cast<std::size_t>(kind);
      // The selected tool comes first as `T:`; its repetition as `T0:` is the same reading.
      if (other_tool || told[place] || !std::isfinite(value.celsius)) continue;
      told[place] = true;
      if (std::isfinite(value.target_celsius)) target_[place] = value.target_celsius;
      add(kind, value, t_s);
    }
  }

  /// Duty is told in steps of 0…127 (Marlin) or 0…255 (others): the log's highest decides.
  void finish() {
    const float scale = highest_step_ > 127 ? 255 : 127;
    for (auto& row : trace_) row.duty /= scale;
  }

 private:
  void add(HeaterKind kind, const guard::ReportedValue& value, double t_s) {
    TraceRow row;
    row.t_s = t_s;
    row.heater = kind;
    row.celsius = value.celsius;
    row.target_celsius = target_[static_cast<std::size_t>(kind)];
    if (value.duty_unit == guard::DutyUnit::steps) {
      row.duty = value.duty;
      highest_step_ = std::max(highest_step_, value.duty);
    }
    row.fan = fan_;
    row.flow_mm3_per_s = extrusion_.flow(static_cast<std::int64_t>(t_s * 1e9));
    trace_.push_back(row);
  }

  Trace& trace_;
  guard::ExtrusionTracker extrusion_;
  std::array<float, 3> target_{guard::unknown, guard::unknown, guard::unknown};
  float fan_ = guard::unknown;
  float highest_step_ = 0;
};

/// The number behind `key` in `fields`; false if it is not there.
bool field(std::string_view fields, std::string_view key, float& value) {
  const auto at = fields.find(key);
  if (at == std::string_view::npos) return false;
  auto rest = fields.substr(at + key.size());
  return take_number(rest, value);
}

void add_klippy_heater(std::string_view line, std::string_view object, HeaterKind kind, double t_s,
                       Trace& trace) {
  auto at = line.find(object);
  if (at == std::string_view::npos) return;
  auto fields = line.substr(at + object.size());
  // The object's own fields end where the next object's name begins.
  fields = fields.substr(0, fields.find(": "));
  TraceRow row;
  row.t_s = t_s;
  row.heater = kind;
  const bool said = field(fields, "target=", row.target_celsius) &&
                    field(fields, "temp=", row.celsius) && field(fields, "pwm=", row.duty);
  if (said) trace.push_back(row);
}

}  // namespace

LogKind kind_of_log(std::string_view text) {
  auto head = text.substr(0, 1U << 20U);
  while (!head.empty()) {
    const auto line = take_line(head);
    if (line.starts_with("Stats ") && line.find("gcodein=") != std::string_view::npos) {
      return LogKind::klippy;
    }
    if (line.find(" - Recv: ") != std::string_view::npos) return LogKind::octoprint;
  }
  return LogKind::none;
}

Result<Trace> parse_octoprint_log(std::string_view text, const std::string& name) {
  Trace trace;
  OctoPrintLog log(trace);
  double first_s = -1, t_s = 0;
  std::size_t number = 0;
  while (!text.empty()) {
    ++number;
    auto line = take_line(text);
    double at_s = 0;
    if (!take_octoprint_time(line, at_s)) continue;
    if (first_s < 0) first_s = at_s;
    if (at_s - first_s < t_s - 1) {
      return fail(ErrorCode::bad_input,
                  name + ":" + std::to_string(number) + ": the clock goes back; cut the log here");
    }
    t_s = std::max(t_s, at_s - first_s);
    if (line.starts_with("Recv: ")) log.received(line.substr(6), t_s);
    if (line.starts_with("Send: ")) log.sent(line.substr(6), t_s);
  }
  log.finish();
  if (trace.empty()) {
    return fail(ErrorCode::bad_input, name + ": holds no report of a temperature (Recv: lines)");
  }
  return trace;
}

Result<Trace> parse_klippy_log(std::string_view text, const std::string& name) {
  Trace trace;
  double before_s = -1, first_s = -1;
  std::size_t number = 0;
  while (!text.empty()) {
    ++number;
    auto line = take_line(text);
    if (!line.starts_with("Stats ")) continue;
    line.remove_prefix(6);
    double t_s = 0;
    if (!take_number(line, t_s) || !line.starts_with(":")) {
      return fail(ErrorCode::bad_input,
                  name + ":" + std::to_string(number) + ": a Stats line without its time");
    }
    if (t_s < before_s) {
      return fail(ErrorCode::bad_input, name + ":" + std::to_string(number) +
                                            ": Klipper has started again; cut the log here");
    }
    before_s = t_s;
    if (first_s < 0) first_s = t_s;
    add_klippy_heater(line, " extruder: ", HeaterKind::hotend, t_s - first_s, trace);
    add_klippy_heater(line, " heater_bed: ", HeaterKind::bed, t_s - first_s, trace);
  }
  if (trace.empty()) return fail(ErrorCode::bad_input, name + ": holds no heater in Stats lines");
  return trace;
}

}  // namespace firebreak::cli::replay
