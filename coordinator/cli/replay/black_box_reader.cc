#include "coordinator/cli/replay/black_box_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <optional>

#include "agent/guard/blackbox/sample_store.h"

namespace firebreak::cli::replay {
namespace {

using guard::SampleStore;

/// How every SQLite file begins.
constexpr std::string_view sqlite_magic{"SQLite format 3\0", 16};

std::filesystem::path samples_of(const std::filesystem::path& file) {
  if (std::filesystem::is_directory(file)) return file / "samples.db";
  // The events beside the samples: a person names either.
  if (file.filename().string().starts_with("blackbox")) return file.parent_path() / "samples.db";
  return file;
}

std::optional<guard::HeaterKind> kind_of(const std::string& heater) {
  const auto found = std::find(heater_names.begin(), heater_names.end(), heater);
  if (found == heater_names.end()) return std::nullopt;
  return static_cast<guard::HeaterKind>(found - heater_names.begin());
}

template <class Text>
std::string listed(const std::vector<SampleStore::Series>& all, Text text) {
  std::vector<std::string> seen;
  for (const auto& series : all) {
    if (std::find(seen.begin(), seen.end(), text(series)) == seen.end()) {
      seen.push_back(text(series));
    }
  }
  return fmt::format("{}", fmt::join(seen, ", "));
}

/// The boots that the box holds, the newest first.
std::vector<std::string> boots_of(const std::vector<SampleStore::Series>& all) {
  std::vector<std::string> boots;
  for (auto series = all.rbegin(); series != all.rend(); ++series) {
    if (std::find(boots.begin(), boots.end(), series->boot) == boots.end()) {
      boots.push_back(series->boot);
    }
  }
  return boots;
}

Result<std::string> printer_of(const std::vector<SampleStore::Series>& all,
                               const std::string& wanted, const std::string& name) {
  const auto printers = listed(all, [](const auto& series) { return series.printer; });
  const auto is_wanted = [&](const auto& series) { return series.printer == wanted; };
  if (!wanted.empty()) {
    if (std::any_of(all.begin(), all.end(), is_wanted)) return wanted;
    return fail(ErrorCode::not_found,
                fmt::format("{}: no printer {}; it holds: {}", name, wanted, printers));
  }
  if (printers.find(',') == std::string::npos) return all.front().printer;
  return fail(ErrorCode::bad_input,
              fmt::format("{}: which printer? --printer one of: {}", name, printers));
}

void append(Trace& trace, guard::HeaterKind kind, const std::vector<guard::Sample>& samples) {
  for (const auto& sample : samples) {
    if (!std::isfinite(sample.celsius)) continue;
    TraceRow row;
    row.t_s = static_cast<double>(sample.mono_ns) * 1e-9;
    row.heater = kind;
    row.celsius = sample.celsius;
    row.target_celsius = sample.target_celsius;
    row.duty = sample.duty;
    trace.push_back(row);
  }
}

}  // namespace

bool is_black_box(const std::filesystem::path& file) {
  if (std::filesystem::is_directory(file)) return std::filesystem::exists(file / "samples.db");
  std::ifstream in(file, std::ios::binary);
  std::array<char, sqlite_magic.size()> head{};
  in.read(head.data(), head.size());
  return in && std::string_view(head.data(), head.size()) == sqlite_magic;
}

Result<Trace> read_black_box(const std::filesystem::path& file, const BlackBoxChoice& choice,
                             std::vector<std::string>& notes) {
  const auto path = samples_of(file);
  auto store = SampleStore::open_to_read(path);
  if (!store) return fail(store.error());
  const auto all = store->series();
  if (!all) return fail(all.error());
  const auto name = path.string();
  if (all->empty()) return fail(ErrorCode::not_found, name + ": holds no readings yet");
  const auto printer = printer_of(*all, choice.printer, name);
  if (!printer) return fail(printer.error());
  const auto boots = boots_of(*all);
  const auto back = static_cast<std::size_t>(std::max(0, choice.boots_back));
  if (back >= boots.size()) {
    return fail(ErrorCode::not_found,
                fmt::format("{}: holds {} boot(s) of its host, --boot 0 to {}", name, boots.size(),
                            boots.size() - 1));
  }
  Trace trace;
  for (const auto& series : *all) {
    if (series.boot != boots[back] || series.printer != *printer) continue;
    const auto kind = kind_of(series.heater);
    if (!kind) {
      notes.push_back(series.heater + " is left out: one hotend is replayed at a time");
      continue;
    }
    const auto samples = store->read(series);
    if (!samples) return fail(samples.error());
    append(trace, *kind, *samples);
  }
  if (trace.empty()) return fail(ErrorCode::not_found, name + ": no reading of " + *printer);
  std::stable_sort(trace.begin(), trace.end(),
                   [](const auto& a, const auto& b) { return a.t_s < b.t_s; });
  const double begin_s = trace.front().t_s;
  for (auto& row : trace) row.t_s -= begin_s;
  return trace;
}

}  // namespace firebreak::cli::replay
