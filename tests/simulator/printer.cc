#include "tests/simulator/printer.h"

#include <algorithm>
#include <utility>

namespace firebreak::sim {
namespace {

// What one mm³/s of plastic takes along for each kelvin above the room (2.4 mJ/mm³K).
constexpr double kFlowWattsPerKelvin = 0.0024;
constexpr Nanos kJunkPeriod = std::chrono::milliseconds(2);
constexpr double kJunkBytesAtOnce = 65536;

struct FaultName {
  const char* name;
  Fault fault;
  bool names_heater;
};

constexpr FaultName kFaultNames[] = {
    {"heater_on", Fault::heater_on, true},
    {"heater_open", Fault::heater_open, true},
    {"sensor_out", Fault::sensor_out, true},
    {"sensor_frozen", Fault::sensor_frozen, true},
    {"sensor_open", Fault::sensor_open, true},
    {"sensor_short", Fault::sensor_short, true},
    {"sensor_forced", Fault::sensor_forced, true},
    {"sensors_swapped", Fault::sensors_swapped, false},
    {"hung", Fault::hung, false},
    {"protection_off", Fault::protection_off, false},
    {"halt_ignored", Fault::halt_ignored, false},
    {"junk", Fault::junk, false},
};

SensorFault sensor_fault(Fault fault) {
  switch (fault) {
    case Fault::sensor_out: return SensorFault::out;
    case Fault::sensor_frozen: return SensorFault::frozen;
    case Fault::sensor_open: return SensorFault::open;
    case Fault::sensor_short: return SensorFault::shorted;
    case Fault::sensor_forced: return SensorFault::forced;
    default: return SensorFault::none;
  }
}

double in_seconds(Nanos time) { return std::chrono::duration<double>(time).count(); }

}  // namespace

const char* heater_name(HeaterId heater) { return heater == HeaterId::hotend ? "hotend" : "bed"; }

std::optional<Fault> fault_by_name(std::string_view name) {
  for (const FaultName& entry : kFaultNames) {
    if (name == entry.name) return entry.fault;
  }
  return std::nullopt;
}

bool fault_names_heater(Fault fault) {
  return std::any_of(std::begin(kFaultNames), std::end(kFaultNames), [fault](const auto& entry) {
    return entry.fault == fault && entry.names_heater;
  });
}

Printer::Printer(const PrinterConfig& config)
    : config_(config),
      random_(config.seed),
      next_sample_(kSamplePeriod),
      firmware_(config.dialect),
      last_state_(FirmwareState::off),
      hotend_(HeaterId::hotend, config.hotend, config.ambient_celsius),
      bed_(HeaterId::bed, config.bed, config.ambient_celsius),
      ambient_(config.ambient_celsius) {
  firmware_.power_on(now_);
  settle();
}

int Printer::duty(HeaterId id) const {
  return id == HeaterId::hotend ? firmware_.hotend().duty() : firmware_.bed().duty();
}

void Printer::record(std::string kind, std::string text) {
  Fact fact;
  fact.at = now_;
  fact.kind = std::move(kind);
  fact.text = std::move(text);
  facts_.push_back(std::move(fact));
}

void Printer::update_power(Heater& heater) {
  double fraction = static_cast<double>(duty(heater.id)) / 127;
  if (heater.stuck) fraction = std::max(fraction, *heater.stuck);
  if (heater.open || !heater.powered) fraction = 0;
  const double watts = fraction * heater.body.full_watts;
  const bool edge = (watts > 0) != (heater.watts > 0);
  heater.watts = watts;
  if (!edge) return;
  Fact fact;
  fact.at = now_;
  fact.kind = "heat";
  fact.heater = heater_name(heater.id);
  fact.watts = watts;
  facts_.push_back(std::move(fact));
}

void Printer::settle() {
  firmware_.service(now_);
  if (firmware_.state() != last_state_) {
    last_state_ = firmware_.state();
    switch (last_state_) {
      case FirmwareState::halted: record("halted", firmware_.halt_reason()); break;
      case FirmwareState::running: record("boot"); break;
      case FirmwareState::booting: record("reset"); break;
      case FirmwareState::off: record("off"); break;
    }
  }
  update_power(hotend_);
  update_power(bed_);
  output_ += firmware_.take_output();
}

void Printer::step_plants(Nanos duration) {
  const double seconds = in_seconds(duration);
  hotend_.plant.step(seconds, hotend_.watts, ambient_, firmware_.fan(),
                     firmware_.flow() * kFlowWattsPerKelvin);
  bed_.plant.step(seconds, bed_.watts, ambient_, firmware_.fan(), 0);
  hotend_.sensor.step(seconds, hotend_.plant.body_celsius(), ambient_);
  bed_.sensor.step(seconds, bed_.plant.body_celsius(), ambient_);
}

void Printer::add_junk(Nanos duration) {
  if (junk_per_second_ <= 0 || !board_power_) return;
  junk_owed_ = std::min(junk_owed_ + junk_per_second_ * in_seconds(duration), kJunkBytesAtOnce);
  while (junk_owed_ >= 1) {
    output_ += static_cast<char>(random_() & 0xFF);
    junk_owed_ -= 1;
  }
}

Nanos Printer::next_event() const {
  Nanos next = next_sample_;
  if (const auto event = firmware_.next_event()) next = std::min(next, *event);
  if (junk_per_second_ > 0) next = std::min(next, now_ + kJunkPeriod);
  return std::max(next, now_);
}

void Printer::advance(Nanos duration) {
  const Nanos end = now_ + duration;
  while (now_ < end) {
    const Nanos next = std::min(end, std::max(next_event(), now_ + Nanos{1}));
    const Nanos step = next - now_;
    step_plants(step);
    add_junk(step);
    now_ = next;
    if (now_ >= next_sample_) {
      next_sample_ += kSamplePeriod;
      // Readings are taken in every state, so that the random sequence depends on time alone.
      double hotend = hotend_.sensor.read(random_);
      double bed = bed_.sensor.read(random_);
      if (sensors_swapped_) std::swap(hotend, bed);
      firmware_.sample(hotend, bed, now_);
    }
    settle();
  }
}

void Printer::receive(std::string_view bytes) {
  if (!board_power_) return;
  firmware_.receive(bytes, now_);
  settle();
}

std::string Printer::take_output() { return std::exchange(output_, {}); }

std::vector<Fact> Printer::take_facts() { return std::exchange(facts_, {}); }

void Printer::set_fault(Fault fault, bool on, HeaterId id, double value) {
  Heater& target = heater(id);
  switch (fault) {
    case Fault::heater_on:
      target.stuck = on ? std::optional(std::clamp(value, 0.0, 1.0)) : std::nullopt;
      break;
    case Fault::heater_open: target.open = on; break;
    case Fault::sensors_swapped: sensors_swapped_ = on; break;
    case Fault::hung: firmware_.set_hung(on); break;
    case Fault::protection_off: firmware_.set_protection(!on); break;
    case Fault::halt_ignored: firmware_.set_ignores_halt(on); break;
    case Fault::junk: junk_per_second_ = on ? std::max(0.0, value) : 0; break;
    default: target.sensor.set_fault(on ? sensor_fault(fault) : SensorFault::none, value); break;
  }
  settle();
}

void Printer::set_heater_power(HeaterId id, bool on) {
  if (heater(id).powered == on) return;
  heater(id).powered = on;
  settle();
}

void Printer::set_board_power(bool on) {
  if (on == board_power_) return;
  board_power_ = on;
  if (on) {
    firmware_.power_on(now_);
  } else {
    firmware_.power_off();
  }
  settle();
}

void Printer::reset() {
  if (!board_power_) return;
  firmware_.power_on(now_);
  last_state_ = FirmwareState::off;  // a reset of a booting board is one too
  settle();
}

void Printer::stop(const std::string& reason) {
  firmware_.stop(reason);
  settle();
}

void Printer::set_ambient(double celsius) { ambient_ = celsius; }

void Printer::set_temperature(HeaterId id, double celsius) {
  heater(id).plant.set_temperature(celsius);
  heater(id).sensor.set_temperature(celsius);
}

HeaterTruth Printer::truth(HeaterId id) const {
  const Heater& from = heater(id);
  const HeaterControl& control = id == HeaterId::hotend ? firmware_.hotend() : firmware_.bed();
  return {from.plant.element_celsius(),
          from.plant.body_celsius(),
          control.reading(),
          control.target(),
          control.duty(),
          from.watts};
}

}  // namespace firebreak::sim
