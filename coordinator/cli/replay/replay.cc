#include "coordinator/cli/replay/replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "coordinator/cli/replay/black_box_reader.h"
#include "coordinator/cli/replay/chart.h"
#include "coordinator/cli/replay/csv_reader.h"
#include "coordinator/cli/replay/log_reader.h"
#include "coordinator/cli/replay/player.h"

namespace firebreak::cli {
namespace {

using guard::thermal::ModelSet;
using nlohmann::json;
using replay::Found;
using replay::Outcome;
using replay::Trace;

constexpr std::string_view trace_ending = ".trace.csv";
constexpr const char* what_it_reads =
    "a CSV with t,heater,temp,target,duty,fan,flow, an OctoPrint serial.log, a klippy.log, or a "
    "guard's black box";

Failure wrong_input(const Error& error) {
  const bool missing = error.code == ErrorCode::not_found;
  return {missing ? ExitStatus::not_found : ExitStatus::usage, error.message,
          "firebreak replay --help"};
}

Result<Trace> read_trace(const std::string& file, const replay::BlackBoxChoice& choice,
                         std::vector<std::string>& notes) {
  if (replay::is_black_box(file)) return replay::read_black_box(file, choice, notes);
  auto text = replay::read_file(file);
  if (!text) return fail(text.error());
  switch (replay::kind_of_log(*text)) {
    case replay::LogKind::octoprint: return replay::parse_octoprint_log(*text, file);
    case replay::LogKind::klippy: return replay::parse_klippy_log(*text, file);
    case replay::LogKind::none: break;
  }
  auto trace = replay::parse_csv(*text, file);
  if (!trace) return fail(trace.error());
  return trace;
}

json power_of(const Found& found) {
  const double power = found.verdict.unexplained_power;
  return std::isfinite(power) ? json(std::round(power * 1000) / 1000) : json();
}

json as_json(const Found& found) {
  const bool trip = found.verdict.level == guard::thermal::Level::trip;
  return {{"t", found.t_s},
          {"heater", found.heater},
          {"detector", guard::thermal::detector(found.verdict.rule)},
          {"rule", guard::thermal::info(found.verdict.rule).name},
          {"verdict", trip ? "trip" : "warn"},
          {"unexplained_power", power_of(found)},
          {"doubts_sensor", found.verdict.doubts_sensor},
          {"widened", found.verdict.widened},
          {"why", found.verdict.text.data()}};
}

json summary_of(const Outcome& outcome, const std::vector<std::string>& refusals) {
  json summary = {
      {"samples", outcome.samples},
      {"trips", outcome.trips},
      {"warnings", outcome.warnings},
      {"first_trip_t", outcome.first_trip ? json(outcome.found[*outcome.first_trip].t_s) : json()}};
  if (!refusals.empty()) summary["not_learned"] = refusals;
  return summary;
}

tl::expected<ModelSet, Failure> models_for(const ReplayOrder& order,
                                           std::vector<std::string>& refusals,
                                           std::vector<std::string>& notes) {
  if (!order.model.empty()) {
    auto models = guard::thermal::read_models(order.model);
    if (!models) return tl::unexpected(wrong_input(models.error()));
    return *models;
  }
  if (order.learn.empty()) return ModelSet{};
  auto heatup = read_trace(order.learn, {order.printer, order.boots_back}, notes);
  if (!heatup) return tl::unexpected(wrong_input(heatup.error()));
  return replay::learn(*heatup, refusals);
}

void show_for_people(Console& console, const std::vector<replay::HeaterChart>& charts,
                     const Outcome& outcome, int columns) {
  console.data(replay::draw_text(charts, outcome, columns));
  for (const auto& found : outcome.found) {
    const bool trip = found.verdict.level == guard::thermal::Level::trip;
    console.data(fmt::format("{:10.1f} s  {:4}  {} {}  {}\n", found.t_s, trip ? "TRIP" : "warn",
                             guard::thermal::detector(found.verdict.rule),
                             guard::thermal::info(found.verdict.rule).name,
                             found.verdict.text.data()));
  }
  console.data(fmt::format("{} samples, {} trips, {} warnings\n", outcome.samples, outcome.trips,
                           outcome.warnings));
}

Done replay_one(Context& context, const ReplayOrder& order) {
  std::vector<std::string> refusals, notes;
  auto models = models_for(order, refusals, notes);
  if (!models) return give_up(models.error());
  auto trace = read_trace(order.file, {order.printer, order.boots_back}, notes);
  if (!trace) return give_up(wrong_input(trace.error()));
  auto& console = context.console;
  std::vector<replay::HeaterChart> charts;
  const bool draws = !console.json() || !order.svg.empty();
  for (const auto name : replay::heater_names) charts.push_back({std::string(name), {}});
  replay::Watcher watch;
  if (draws) {
    watch = [&](const replay::TraceRow& row, float unexplained) {
      charts[static_cast<std::size_t>(row.heater)].points.push_back(
          {row.t_s, row.celsius, row.target_celsius, row.duty, unexplained});
    };
  }
  const auto outcome = replay::play(*trace, *models, watch);
  std::erase_if(charts, [](const auto& chart) { return chart.points.empty(); });
  if (!order.svg.empty()) {
    std::ofstream out(order.svg, std::ios::binary);
    out << replay::draw_svg(charts, outcome);
    out.flush();
    if (!out) {
      return give_up(ExitStatus::failed, "cannot write " + order.svg, "choose another file");
    }
  }
  for (const auto& note : notes) console.note(note, Tone::warning);
  for (const auto& why : refusals) console.note("not learned: " + why, Tone::warning);
  if (!console.json()) {
    if (order.svg.empty()) show_for_people(console, charts, outcome, console.columns());
    return ExitStatus::done;
  }
  for (const auto& found : outcome.found) console.document(as_json(found));
  console.document(summary_of(outcome, refusals));
  return ExitStatus::done;
}

/// One line of a batch.
json replay_of_batch(const std::filesystem::path& file) {
  const auto name = file.filename().string();
  std::vector<std::string> refusals, notes;
  auto trace = read_trace(file.string(), {}, notes);
  if (!trace) return {{"trace", name}, {"error", trace.error().message}};
  ReplayOrder order;
  const auto stem = name.substr(0, name.size() - trace_ending.size());
  const auto heatup = file.parent_path() / (stem + ".heatup.csv");
  if (std::filesystem::exists(heatup)) order.learn = heatup.string();
  auto models = models_for(order, refusals, notes);
  if (!models) return {{"trace", name}, {"error", models.error().message}};
  const auto outcome = replay::play(*trace, *models);
  json line = {{"trace", name}};
  line.update(summary_of(outcome, refusals));
  line["detector"] =
      outcome.first_trip
          ? json(guard::thermal::detector(outcome.found[*outcome.first_trip].verdict.rule))
          : json();
  return line;
}

Done replay_batch(Context& context, const std::string& folder) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.path().filename().string().ends_with(trace_ending)) files.push_back(entry.path());
  }
  if (error) {
    return give_up(ExitStatus::not_found, "cannot read the folder " + folder,
                   "name a folder with *.trace.csv");
  }
  if (files.empty()) {
    return give_up(ExitStatus::not_found, "no *.trace.csv in " + folder,
                   "name a folder with *.trace.csv");
  }
  std::sort(files.begin(), files.end());
  std::vector<json> lines(files.size());
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (std::size_t i = next++; i < files.size(); i = next++) lines[i] = replay_of_batch(files[i]);
  };
  {
    std::vector<std::jthread> threads;
    const auto cores = std::max(1U, std::thread::hardware_concurrency());
    for (unsigned i = 0; i < std::min<std::size_t>(cores, files.size()); ++i) {
      threads.emplace_back(work);
    }
  }
  bool all = true;
  for (const auto& line : lines) {
    all = all && !line.contains("error");
    if (context.console.json()) {
      context.console.document(line);
    } else {
      context.console.data(line.dump(-1, ' ', false, json::error_handler_t::replace) + "\n");
    }
  }
  return all ? ExitStatus::done : ExitStatus::partly;
}

}  // namespace

Done replay_recording(Context& context, const ReplayOrder& order) {
  if (!order.batch.empty()) return replay_batch(context, order.batch);
  if (order.file.empty()) {
    return give_up(ExitStatus::usage, fmt::format("replay what? {}", what_it_reads),
                   "firebreak replay --help");
  }
  return replay_one(context, order);
}

}  // namespace firebreak::cli
