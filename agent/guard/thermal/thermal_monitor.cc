#include "agent/guard/thermal/thermal_monitor.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace firebreak::guard::thermal {

/// The rules of one heater, in the order in which a person should read them.
struct ThermalMonitor::Heater {
  Heater() = default;

  void build(const HeaterProfile& profile, const HeaterModel& model, HeaterState& state) {
    name = profile.name;
    plant = std::make_unique<PlantModel>(profile, model, state.plant);
    power = std::make_unique<UnexplainedPowerDetector>(profile, state.power);
    still = std::make_unique<StillDetector>(profile, state.still);
    drift = std::make_unique<DriftDetector>(profile, state.drift);
    limit = std::make_unique<LimitDetector>(profile, state.limit);
    jump = std::make_unique<JumpDetector>(profile, state.jump);
    own_sensor = std::make_unique<OwnSensorDetector>(profile, state.own_sensor);
    overshoot = std::make_unique<OvershootDetector>(profile, state.overshoot);
    idle_rise = std::make_unique<IdleRiseDetector>(profile, state.idle_rise);
    frozen = std::make_unique<FrozenDetector>(profile, state.frozen);
    heating_rate = std::make_unique<HeatingRateDetector>(profile, state.heating_rate);
    hysteresis = std::make_unique<HysteresisDetector>(profile, state.hysteresis);
    blind = std::make_unique<BlindDetector>(profile, state.blind);
    all = {limit.get(),        jump.get(),       own_sensor.get(), overshoot.get(),
           idle_rise.get(),    power.get(),      still.get(),      frozen.get(),
           heating_rate.get(), hysteresis.get(), drift.get(),      blind.get()};
  }

  std::string name;
  std::unique_ptr<PlantModel> plant;
  std::unique_ptr<UnexplainedPowerDetector> power;
  std::unique_ptr<StillDetector> still;
  std::unique_ptr<DriftDetector> drift;
  std::unique_ptr<LimitDetector> limit;
  std::unique_ptr<JumpDetector> jump;
  std::unique_ptr<OwnSensorDetector> own_sensor;
  std::unique_ptr<OvershootDetector> overshoot;
  std::unique_ptr<IdleRiseDetector> idle_rise;
  std::unique_ptr<FrozenDetector> frozen;
  std::unique_ptr<HeatingRateDetector> heating_rate;
  std::unique_ptr<HysteresisDetector> hysteresis;
  std::unique_ptr<BlindDetector> blind;
  std::array<Detector*, 12> all{};
};

namespace {

/// FNV-1a over the heaters' names: another profile must not inherit a state.
std::uint32_t fingerprint(const PrinterProfile& profile) {
  std::uint32_t hash = 2166136261U;
  for (const auto& heater : profile.heaters) {
    for (const char c : heater.name + "\n")
      hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  }
  return hash;
}

/// Whether `value` is a whole number of `step` (to the precision of a float of this size).
bool multiple_of(float value, float step) {
  const float steps = value / step;
  return std::fabs(steps - std::nearbyint(steps)) * step < 0.004F;
}

/// Until a reading has come to its target, nothing but the end of its power may stop it.
bool follow_target(HeaterState& state) {
  const float target = state.last_target;
  if (!(std::fabs(target - state.approached) <= arrived_kelvin)) {
    state.approached = target;
    state.arrived = 0;
  }
  if (state.last_celsius >= target - arrived_kelvin) state.arrived = 1;
  return state.arrived != 0;
}

void learn_quantum(float celsius, float& quantum) {
  if (!std::isfinite(celsius)) return;
  if (quantum > 0.5F && !multiple_of(celsius, 1.0F)) quantum = 0.1F;
  if (quantum > 0.05F && !multiple_of(celsius, 0.1F)) quantum = 0.01F;
}

}  // namespace

ThermalMonitor::ThermalMonitor(const PrinterProfile& profile, ThermalState& state,
                               std::span<const HeaterModel> models)
    : state_(state), count_(std::min(profile.heaters.size(), max_heaters)) {
  const auto print = fingerprint(profile);
  if (state_.size != sizeof(ThermalState) || state_.printer != print) {
    state_ = {};
    state_.size = sizeof(ThermalState);
    state_.printer = print;
  }
  heaters_ = std::make_unique<Heater[]>(count_);
  for (std::size_t i = 0; i < count_; ++i) {
    const bool given = i < models.size() && models[i].learned != 0;
    heaters_[i].build(profile.heaters[i], given ? models[i] : wide_model(profile.heaters[i]),
                      state_.heaters[i]);
  }
}

ThermalMonitor::~ThermalMonitor() = default;
ThermalMonitor::ThermalMonitor(ThermalMonitor&&) noexcept = default;

std::size_t ThermalMonitor::heater_count() const noexcept { return count_; }

bool ThermalMonitor::doubted(std::size_t heater) const noexcept {
  return heater >= count_ || state_.heaters[heater].doubted != 0;
}

float ThermalMonitor::quantum(std::size_t heater) const noexcept {
  return heater < count_ ? state_.heaters[heater].quantum : 1.0F;
}

double ThermalMonitor::blind_after_s(std::size_t heater) const noexcept {
  if (heater >= count_) return blind_shortest_s;
  HeaterView view;
  view.celsius = state_.heaters[heater].last_celsius;
  return heaters_[heater].blind->longest_s(view);
}

void ThermalMonitor::doubt(std::size_t heater) noexcept {
  for (std::size_t i = 0; i < count_; ++i) {
    if (heater == i || heater >= max_heaters) state_.heaters[i].doubted = 1;
  }
}

void ThermalMonitor::forget() noexcept {
  for (std::size_t i = 0; i < count_; ++i) {
    auto& old = state_.heaters[i];
    HeaterState fresh;
    // What is known of the past readings and of silence is no memory of the fault: it stays.
    fresh.last_at_ns = old.last_at_ns;
    fresh.last_celsius = old.last_celsius;
    fresh.last_target = old.last_target;
    fresh.commanded_at_ns = old.commanded_at_ns;
    fresh.quantum = old.quantum;
    fresh.blind = old.blind;
    fresh.evidence = old.evidence;
    fresh.still.squares = old.still.squares;
    fresh.still.blocks = old.still.blocks;
    fresh.still.settled_s = old.still.settled_s;
    fresh.still.longest_s = old.still.longest_s;
    fresh.still.step = old.still.step;
    fresh.still.duty_step = old.still.duty_step;
    fresh.still.early = old.still.early;
    fresh.still.late = old.still.late;
    old = fresh;
  }
}

const StepReport& ThermalMonitor::step(const StepInput& input,
                                       const PrinterReadings& readings) noexcept {
  report_.count = 0;
  report_.trips = 0;
  mute_model_ = input.mute_model;
  report_.trusted = 0;
  report_.possibly_hot = 0;
  report_.untold = 0;
  for (std::size_t i = 0; i < count_; ++i) look(i, input, readings);
  SupplyWatch supply(state_.supply);
  const bool fell = supply.step({views_.data(), count_}, input.now_ns);
  for (std::size_t i = 0; i < count_; ++i) {
    views_[i].supply_fell = fell;
    judge(i);
  }
  return report_;
}

/// What is to be judged: the reading, what is known around it, and its heat balance.
void ThermalMonitor::look(std::size_t index, const StepInput& input,
                          const PrinterReadings& readings) noexcept {
  const auto& reading = readings.heaters[index];
  auto& state = state_.heaters[index];
  auto& view = views_[index];
  view = {};
  view.now_ns = input.now_ns;
  // A time in the future is damage; it must not make a reading look young for ever.
  if (state.last_at_ns > input.now_ns) state.last_at_ns = 0;
  view.fresh = reading.celsius_at_ns > state.last_at_ns;
  if (view.fresh) {
    view.gap = state.last_at_ns == 0 ||
               seconds_since(state.last_at_ns, reading.celsius_at_ns) > gap_longest_s;
    state.last_at_ns = reading.celsius_at_ns;
    state.last_celsius = reading.celsius;
    // A report that was on its way still shows the old target.
    const auto since = seconds_since(state.commanded_at_ns, reading.celsius_at_ns);
    if (since > latch_grace_s) state.commanded_at_ns = 0;
    learn_quantum(reading.celsius, state.quantum);
  }
  // A restarted link knows nothing yet; what was last known stays, and ages.
  if (std::isfinite(reading.target_celsius)) state.last_target = reading.target_celsius;
  if (input.target_commanded) state.commanded_at_ns = input.now_ns;
  view.celsius = state.last_celsius;
  view.celsius_at_ns = state.last_at_ns;
  view.target_celsius = state.last_target;
  view.arrived = follow_target(state);
  view.duty = reading.duty;
  view.quantum = state.quantum;
  view.own_celsius = input.own[index].celsius;
  view.own_at_ns = input.own[index].at_ns;
  view.has_own = input.own[index].present;
  view.stopped = input.stopped;
  view.hold_blind = input.hold_blind;
  view.network = input.network;
  view.protection_verified = input.protection_verified;
  view.restarting = input.restarting;
  view.target_commanded = state.commanded_at_ns != 0;
  view.fan = readings.fan;
  view.flow = readings.flow_mm3_per_s;
  view.scale = scale_;
  view.balance = heaters_[index].plant->step(view);
  if (view.fresh) state.evidence.take(view);
}

void ThermalMonitor::judge(std::size_t index) noexcept {
  auto& state = state_.heaters[index];
  auto& heater = heaters_[index];
  const auto& view = views_[index];
  std::uint32_t active = 0;
  // Most rules say something new only with a reading; what they found before is repeated.
  const bool quiet = !view.fresh && state.active_rules == 0;
  if (quiet) {
    add(index, heater.own_sensor->step(view), view, active);
    add(index, heater.blind->step(view), view, active);
  } else {
    for (auto* detector : heater.all) add(index, detector->step(view), view, active);
  }
  if (view.supply_fell && index == 0) {
    add(index, {Rule::supply_fell, static_cast<float>(supply_mean_s)}, view, active);
  }
  state.active_rules = active;

  const auto bit_of_heater = 1U << index;
  const bool recent =
      view.celsius_at_ns != 0 && seconds_since(view.celsius_at_ns, view.now_ns) <= reading_fresh_s;
  const bool sensible = std::isfinite(view.celsius) && state.jump.outliers == 0 &&
                        state.limit.nonsense == 0 && state.limit.low == 0;
  if (recent && sensible && state.doubted == 0) report_.trusted |= bit_of_heater;
  if (heater.blind->possibly_hot(view) || state.doubted != 0 || !recent || !sensible) {
    report_.possibly_hot |= bit_of_heater;
  }
}

void ThermalMonitor::use(std::size_t heater, const HeaterModel& model) noexcept {
  if (heater < count_ && sane(model)) heaters_[heater].plant->use(model);
}

const HeaterModel& ThermalMonitor::model(std::size_t heater) const noexcept {
  return heaters_[heater < count_ ? heater : 0].plant->model();
}

std::size_t ThermalMonitor::evidence(std::size_t heater,
                                     std::span<EvidenceSample> out) const noexcept {
  if (heater >= count_) return 0;
  return state_.heaters[heater].evidence.write(out);
}

void ThermalMonitor::add(std::size_t index, const Finding& finding, const HeaterView& view,
                         std::uint32_t& active) noexcept {
  if (finding.rule == Rule::none || finding.rule >= Rule::count) return;
  auto& state = state_.heaters[index];
  const auto& rule = info(finding.rule);
  const auto rule_bit = 1U << static_cast<unsigned>(finding.rule);
  active |= rule_bit;
  const bool muted = rule.model_based && mute_model_;
  if (rule.level == Level::trip && !muted) {
    report_.trips |= bit(rule.cause);
    if (rule.doubts_sensor) state.doubted = 1;
  }
  if (report_.count >= max_verdicts) {
    ++report_.untold;
    return;
  }
  auto& verdict = report_.verdicts[report_.count++];
  verdict.level = rule.level;
  verdict.cause = rule.cause;
  verdict.heater = static_cast<std::uint8_t>(index);
  verdict.rule = finding.rule;
  verdict.doubts_sensor = rule.doubts_sensor;
  verdict.muted = muted;
  verdict.direction = rule.direction;
  verdict.unexplained_power = finding.unexplained_power;
  verdict.widened = rule.model_based && view.balance.widened;
  verdict.onset = (state.active_rules & rule_bit) == 0;
  verdict.text[0] = '\0';
  if (!verdict.onset) return;
  const bool own = finding.rule == Rule::own_sensor_limit;
  describe(finding, heaters_[index].name, own ? view.own_celsius : view.celsius,
           view.target_celsius, verdict.text);
}

}  // namespace firebreak::guard::thermal
