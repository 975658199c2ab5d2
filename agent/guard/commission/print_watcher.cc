#include "agent/guard/commission/print_watcher.h"

#include <algorithm>
#include <cmath>

namespace firebreak::guard::commission {
namespace {

constexpr std::int64_t second_ns = 1'000'000'000;
/// Long enough for a bed's hold, short enough that the room stays the same.
constexpr double longest_s = 20 * 60;
/// Of rest before the heat: the room's temperature.
constexpr std::size_t rest_samples = 20;
constexpr std::int64_t longest_gap_ns = 10 * second_ns;

/// Cold enough to know the room from (the fit asks for 60 and 45 °C at most).
float cold_celsius(HeaterKind kind) { return kind == HeaterKind::hotend ? 45.0F : 38.0F; }

}  // namespace

PrintWatcher::PrintWatcher(const PrinterRuntime& printer) : printer_(printer) {}

void PrintWatcher::forget() {
  for (auto& recorder : recorders_) recorder = {};
  for (auto& recorder : recorders_) recorder.spoilt = true;
}

bool PrintWatcher::complete(const Recorder& recorder, HeaterKind) const {
  const double lasts_s = static_cast<double>(recorder.last_ns - recorder.began_ns) * 1e-9;
  const bool over = recorder.heating && recorder.samples.back().target_celsius == 0;
  return recorder.heating && (over || lasts_s > longest_s);
}

void PrintWatcher::follow(std::size_t heater, const HeaterReading& reading) {
  auto& recorder = recorders_[heater];
  const HeaterKind kind = printer_.config.profile.heaters[heater].kind;
  if (reading.reports == recorder.taken) return;
  recorder.taken = reading.reports;
  const bool gap =
      recorder.last_ns != 0 && reading.celsius_at_ns - recorder.last_ns > longest_gap_ns;
  recorder.last_ns = reading.celsius_at_ns;
  const bool resting = reading.target_celsius == 0 && reading.celsius < cold_celsius(kind);
  if (resting && (recorder.spoilt || !recorder.heating)) recorder.spoilt = false;
  if (gap || recorder.spoilt || (!recorder.heating && !resting && recorder.samples.empty())) {
    recorder.samples.clear();
    recorder.heating = false;
    recorder.spoilt = !resting;
    if (recorder.spoilt) return;
  }
  if (recorder.samples.empty()) recorder.began_ns = reading.celsius_at_ns;
  thermal::HeatUpSample sample;
  sample.t_s =
      static_cast<float>(static_cast<double>(reading.celsius_at_ns - recorder.began_ns) * 1e-9);
  sample.celsius = reading.celsius;
  sample.target_celsius = reading.target_celsius;
  sample.duty = reading.duty;
  sample.fan = readings_.fan;
  sample.flow_mm3_per_s = readings_.flow_mm3_per_s;
  recorder.samples.push_back(sample);
  recorder.heating = recorder.heating || reading.target_celsius > 0;
  if (!recorder.heating && recorder.samples.size() > rest_samples) {
    recorder.samples.erase(recorder.samples.begin());
  }
  if (!complete(recorder, kind)) return;
  ready_.push_back({heater, std::move(recorder.samples)});
  recorder.samples.clear();
  recorder.heating = false;
  recorder.spoilt = true;
}

void PrintWatcher::step(std::int64_t) {
  machine::Memory memory;
  printer_.seen.load(memory);
  const bool ordinary = memory.state == machine::State::armed &&
                        printer_.shared.commissioning.load() == 0 &&
                        printer_.shared.host_attached.load() != 0;
  if (!ordinary) return forget();
  printer_.shared.readings.load(readings_);
  for (std::size_t i = 0; i < printer_.config.profile.heaters.size(); ++i) {
    follow(i, readings_.heaters[i]);
  }
}

std::optional<PrintWatcher::HeatUp> PrintWatcher::take() {
  if (ready_.empty()) return std::nullopt;
  auto ready = std::move(ready_.front());
  ready_.pop_front();
  return ready;
}

}  // namespace firebreak::guard::commission
