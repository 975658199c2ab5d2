#include "agent/guard/blackbox/sample_memory.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace firebreak::guard {
namespace {

constexpr std::int64_t evidence_ns = 300LL * 1'000'000'000;

// Two digits are what printers report; more would only make the event larger.
nlohmann::json rounded(float value) {
  if (!std::isfinite(value)) return nullptr;
  return std::round(static_cast<double>(value) * 100.0) / 100.0;
}

nlohmann::json summary(const std::vector<Sample>& samples) {
  float least = std::numeric_limits<float>::infinity();
  float greatest = -std::numeric_limits<float>::infinity();
  float first = std::numeric_limits<float>::quiet_NaN();
  float last = first;
  double duty = 0;
  int duties = 0;
  int known = 0;
  for (const Sample& sample : samples) {
    if (std::isfinite(sample.duty)) duty += sample.duty, ++duties;
    if (!std::isfinite(sample.celsius)) continue;
    if (known++ == 0) first = sample.celsius;
    last = sample.celsius;
    least = std::min(least, sample.celsius);
    greatest = std::max(greatest, sample.celsius);
  }
  const auto unknown = static_cast<std::int64_t>(samples.size()) - known;
  return {{"n", samples.size()},
          {"unknown", unknown},
          {"first", rounded(first)},
          {"last", rounded(last)},
          {"min", rounded(least)},
          {"max", rounded(greatest)},
          {"target", samples.empty() ? nullptr : rounded(samples.back().target_celsius)},
          {"duty", duties == 0 ? nullptr : rounded(static_cast<float>(duty / duties))}};
}

}  // namespace

SampleMemory::SampleMemory(const std::vector<BlackBoxPrinter>& printers) : printers_(printers) {
  std::size_t count = 0;
  for (const auto& printer : printers) count += printer.heaters.size();
  series_.reserve(count);
  for (std::size_t p = 0; p < printers.size(); ++p) {
    for (std::size_t h = 0; h < printers[p].heaters.size(); ++h) series_.push_back({p, h});
  }
}

const SampleMemory::Series* SampleMemory::find(std::size_t printer,
                                               std::size_t heater) const noexcept {
  for (const Series& series : series_) {
    if (series.printer == printer && series.heater == heater) return &series;
  }
  return nullptr;
}

bool SampleMemory::knows(std::size_t printer, std::size_t heater) const noexcept {
  return find(printer, heater) != nullptr;
}

bool SampleMemory::add(const Sample& sample) noexcept {
  auto* series = const_cast<Series*>(find(sample.printer, sample.heater));
  if (series == nullptr) return false;
  series->ring[series->added % readings] = sample;
  ++series->added;
  if (series->added - series->written > readings) {
    ++series->written;
    ++lost_;
  }
  return true;
}

bool SampleMemory::has_unwritten() const noexcept {
  return std::any_of(series_.begin(), series_.end(),
                     [](const Series& series) { return series.added > series.written; });
}

std::vector<SampleStore::Block> SampleMemory::unwritten() const {
  std::vector<SampleStore::Block> blocks;
  for (const Series& series : series_) {
    if (series.added == series.written) continue;
    const BlackBoxPrinter& printer = printers_[series.printer];
    SampleStore::Block block{printer.name, printer.heaters[series.heater], {}};
    block.samples.reserve(series.added - series.written);
    for (std::uint64_t i = series.written; i < series.added; ++i) {
      block.samples.push_back(series.ring[i % readings]);
    }
    blocks.push_back(std::move(block));
  }
  return blocks;
}

void SampleMemory::mark_written() noexcept {
  for (Series& series : series_) series.written = series.added;
}

std::uint64_t SampleMemory::take_lost() noexcept { return std::exchange(lost_, 0); }

std::vector<Sample> SampleMemory::recent(std::size_t printer, std::size_t heater,
                                         std::int64_t now_ns, std::int64_t span_ns) const {
  std::vector<Sample> out;
  const Series* series = find(printer, heater);
  if (series == nullptr) return out;
  const std::uint64_t from = series->added > readings ? series->added - readings : 0;
  for (std::uint64_t i = from; i < series->added; ++i) {
    const Sample& sample = series->ring[i % readings];
    if (sample.mono_ns >= now_ns - span_ns && sample.mono_ns <= now_ns) out.push_back(sample);
  }
  return out;
}

nlohmann::json SampleMemory::evidence(std::size_t printer, std::int64_t now_ns) const {
  nlohmann::json out = nlohmann::json::object();
  if (printer >= printers_.size()) return out;
  for (std::size_t h = 0; h < printers_[printer].heaters.size(); ++h) {
    out[printers_[printer].heaters[h]] = summary(recent(printer, h, now_ns, evidence_ns));
  }
  return out;
}

}  // namespace firebreak::guard
