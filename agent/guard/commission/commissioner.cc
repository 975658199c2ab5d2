#include "agent/guard/commission/commissioner.h"

#include <fmt/format.h>

#include <cmath>
#include <thread>

namespace firebreak::guard::commission {

using nlohmann::json;

namespace {

constexpr std::int64_t second_ns = 1'000'000'000;
/// D6 warns after minutes; half an hour of one print without a pause is no draft.
constexpr std::int64_t long_drift_ns = 30 * 60 * second_ns;

std::int64_t monotonic(const Clock& clock) { return clock.now().time_since_epoch().count(); }

json number_or_null(float value) { return std::isnan(value) ? json() : json(value); }

json heaters_of(const PrinterRuntime& printer) {
  PrinterReadings readings;
  printer.shared.readings.load(readings);
  json heaters = json::array();
  for (std::size_t i = 0; i < printer.config.profile.heaters.size(); ++i) {
    const auto& reading = readings.heaters[i];
    heaters.push_back({{"name", printer.config.profile.heaters[i].name},
                       {"celsius", number_or_null(reading.celsius)},
                       {"target", number_or_null(reading.target_celsius)},
                       {"duty", number_or_null(reading.duty)}});
  }
  return heaters;
}

/// The gains that belong to a heater: M301 tunes the hotends, M304 the bed, nothing a chamber.
PidValues gains_of(const PrinterRuntime& printer, HeaterKind kind) {
  ControllerValues values;
  printer.shared.controllers.load(values);
  if (kind == HeaterKind::chamber) return {};
  return kind == HeaterKind::hotend ? values.hotend : values.bed;
}

bool same(const PidValues& a, const PidValues& b) {
  // Told with two decimals.
  const auto near = [](float x, float y) { return std::fabs(x - y) <= 0.011F; };
  return near(a.p, b.p) && near(a.i, b.i) && near(a.d, b.d);
}

}  // namespace

Commissioner::Commissioner(GuardCore& core, EventQueue& events, const Clock& clock)
    : core_(core), events_(events), clock_(clock) {
  for (auto& printer : core.printers) {
    places_.push_back(std::make_unique<Place>(*printer, core.config.state_dir));
    for (auto& complaint : places_.back()->book.load()) {
      record(EventKind::warning, Severity::warning, *printer, complaint);
      core.warnings.push_back(std::move(complaint));
    }
    const auto& heaters = printer->config.profile.heaters;
    for (std::size_t i = 0; i < heaters.size(); ++i) {
      const auto* stored = places_.back()->book.model(i);
      if (stored == nullptr || stored->origin.asks_again.empty()) continue;
      tell_asks_again(*printer, i, stored->origin.asks_again);
    }
    places_.back()->models = places_.back()->book.describe();
  }
}

void Commissioner::record(EventKind kind, Severity severity, const PrinterRuntime& printer,
                          const std::string& sentence) {
  auto event = make_record(clock_, kind, severity, static_cast<std::int16_t>(printer.index));
  event.set_text(sentence);
  events_.push(event);
}

void Commissioner::describe(Place& place) {
  json models = place.book.describe();
  const std::lock_guard lock(mutex_);
  place.models = std::move(models);
}

Result<void> Commissioner::begin(PrinterRuntime& printer, int pid) {
  const std::lock_guard lock(mutex_);
  Place& place = place_of(printer);
  if (place.heat_up) {
    return fail(ErrorCode::refused, printer.config.name + " is being commissioned already");
  }
  place.pid = pid;
  place.last = nullptr;
  place.heat_up = std::make_unique<SupervisedHeatUp>(printer, monotonic(clock_));
  return {};
}

Result<void> Commissioner::confirm(PrinterRuntime& printer) {
  const std::lock_guard lock(mutex_);
  Place& place = place_of(printer);
  const bool running = place.heat_up && place.heat_up->state() == SupervisedHeatUp::State::running;
  if (!running) {
    return fail(ErrorCode::refused, printer.config.name +
                                        " is not being commissioned: nothing to confirm; "
                                        "firebreak local commission begins it");
  }
  place.heat_up->confirm(monotonic(clock_));
  return {};
}

Result<void> Commissioner::cancel(PrinterRuntime& printer, const std::string& who) {
  const std::lock_guard lock(mutex_);
  Place& place = place_of(printer);
  if (!place.heat_up) {
    return fail(ErrorCode::refused, printer.config.name + " is not being commissioned");
  }
  place.heat_up->cancel(who);
  return {};
}

json Commissioner::progress(const PrinterRuntime& printer, int pid) {
  const std::lock_guard lock(mutex_);
  Place& place = place_of(printer);
  if (!place.heat_up) {
    return place.last.is_null() ? json() : json{{"running", false}, {"result", place.last}};
  }
  const std::int64_t now_ns = monotonic(clock_);
  auto& heat_up = *place.heat_up;
  if (place.pid == pid) heat_up.is_watched(now_ns);
  return {{"running", true},
          {"stage", heat_up.stage().name},
          {"stage_number", heat_up.stage_number() + 1},
          {"stages", heat_up.stages()},
          {"until_reached", heat_up.stage().until_reached},
          {"stage_left_ms", heat_up.stage_left_ns(now_ns) / 1'000'000},
          {"confirm_in_ms", heat_up.confirm_left_ns(now_ns) / 1'000'000},
          {"heaters", heaters_of(printer)}};
}

json Commissioner::models(const std::string& printer) {
  const std::lock_guard lock(mutex_);
  json all = json::array();
  for (const auto& place : places_) {
    if (!printer.empty() && place->printer.config.name != printer) continue;
    for (const auto& entry : place->models) all.push_back(entry);
  }
  return all;
}

void Commissioner::ask_approval(const PrinterRuntime& printer, const std::string& heater,
                                const std::string& who) {
  const std::lock_guard lock(mutex_);
  Place& place = place_of(printer);
  place.approved.reset();
  place.approval = Approval{heater, who};
}

std::optional<Result<void>> Commissioner::approval_result(const PrinterRuntime& printer) {
  const std::lock_guard lock(mutex_);
  auto& approved = place_of(printer).approved;
  auto result = std::move(approved);
  approved.reset();
  return result;
}

thermal::ModelOrigin Commissioner::origin_of(const PrinterRuntime& printer, std::size_t heater,
                                             const std::string& by) const {
  const auto& profile = printer.config.profile.heaters[heater];
  thermal::ModelOrigin origin;
  origin.by = by;
  origin.learned_wall_ms = clock_.wall().time_since_epoch().count();
  origin.watts = profile.heater_watts;
  origin.mass_grams = profile.heated_mass_grams;
  origin.controller = gains_of(printer, profile.kind);
  return origin;
}

void Commissioner::learn_from(Place& place,
                              const std::vector<std::vector<thermal::HeatUpSample>>& samples) {
  const auto& heaters = place.printer.config.profile.heaters;
  thermal::StoredModels learned;
  json told = json::array();
  bool all = true;
  for (std::size_t i = 0; i < heaters.size(); ++i) {
    auto model = thermal::fit_heater_model(heaters[i], samples[i]);
    json entry = {{"name", heaters[i].name}, {"samples", samples[i].size()}};
    entry["learned"] = model.has_value();
    if (model) {
      learned[heaters[i].name] = {*model, origin_of(place.printer, i, "commissioning")};
      entry["residual"] = model->residual;
      entry["rise_kelvin_per_s"] = model->rise_kelvin_per_s;
      record(EventKind::commission, Severity::info, place.printer,
             fmt::format("learned {}: {:.2f} K/s at full power, residual {:.1f} %", heaters[i].name,
                         model->rise_kelvin_per_s, 100 * model->residual));
    } else {
      all = false;
      entry["why"] = model.error().message;
      record(EventKind::commission, Severity::warning, place.printer,
             "model refused: " + model.error().message);
    }
    told.push_back(std::move(entry));
  }
  json result = {{"outcome", all ? "learned" : "refused"}, {"reason", ""}, {"heaters", told}};
  if (!learned.empty()) {
    if (const auto done = place.book.accept(learned); !done) {
      result = {{"outcome", "failed"}, {"reason", done.error().message}, {"heaters", told}};
      record(EventKind::commission, Severity::warning, place.printer,
             "the models could not be stored: " + done.error().message);
    }
  }
  json models = place.book.describe();
  const std::lock_guard lock(mutex_);
  place.models = std::move(models);
  place.last = std::move(result);
  place.heat_up.reset();
}

void Commissioner::end_without_model(Place& place, const std::string& why) {
  record(EventKind::commission, Severity::warning, place.printer, "the heat-up ended: " + why);
  const std::lock_guard lock(mutex_);
  place.last = {{"outcome", "stopped"}, {"reason", why}, {"heaters", json::array()}};
  place.heat_up.reset();
}

void Commissioner::step_heat_up(Place& place, std::int64_t now_ns) {
  std::vector<std::vector<thermal::HeatUpSample>> samples;
  std::string why;
  {
    const std::lock_guard lock(mutex_);
    if (!place.heat_up) return;
    place.heat_up->step(now_ns);
    const auto state = place.heat_up->state();
    if (state == SupervisedHeatUp::State::finished) samples = place.heat_up->samples();
    if (state == SupervisedHeatUp::State::failed) why = place.heat_up->reason();
  }
  if (!why.empty()) return end_without_model(place, why);
  if (samples.empty()) return;
  learn_from(place, samples);
}

void Commissioner::learn_from_prints(Place& place) {
  const auto heat_up = place.watcher.take();
  if (!heat_up || !place.book.wants_to_learn(heat_up->heater)) return;
  const auto& profile = place.printer.config.profile.heaters[heat_up->heater];
  const auto model = thermal::fit_heater_model(profile, heat_up->samples);
  // Not every print is good to learn from; that is no news.
  if (!model) return;
  const auto* before = place.book.proposal(heat_up->heater);
  if (before != nullptr && before->model.residual <= model->residual) return;
  const thermal::StoredModel proposal{*model, origin_of(place.printer, heat_up->heater, "prints")};
  if (!place.book.propose(profile.name, proposal)) return;
  record(EventKind::commission, Severity::info, place.printer,
         fmt::format("a print taught a model of {} (residual {:.1f} %): firebreak local models, "
                     "then approve-model",
                     profile.name, 100 * model->residual));
  describe(place);
}

void Commissioner::take_approval(Place& place) {
  std::optional<Approval> approval;
  {
    const std::lock_guard lock(mutex_);
    approval = std::move(place.approval);
    place.approval.reset();
  }
  if (!approval) return;
  const auto taken = place.book.approve(approval->heater, clock_.wall().time_since_epoch().count());
  Result<void> result;
  if (!taken) result = fail(taken.error());
  record(EventKind::commission, Severity::info, place.printer,
         fmt::format("{}: {}", approval->who,
                     taken ? fmt::format("approved {} proposed model(s)", *taken)
                           : "approval refused: " + taken.error().message));
  json models = place.book.describe();
  const std::lock_guard lock(mutex_);
  place.models = std::move(models);
  place.approved = std::move(result);
}

void Commissioner::ask_again(Place& place, std::size_t heater, const std::string& why) {
  if (!place.book.ask_again(heater, why)) return;
  tell_asks_again(place.printer, heater, why);
  describe(place);
}

void Commissioner::tell_asks_again(const PrinterRuntime& printer, std::size_t heater,
                                   const std::string& why) {
  record(EventKind::warning, Severity::warning, printer,
         fmt::format("{} asks to be commissioned again: {}",
                     printer.config.profile.heaters[heater].name, why));
}

void Commissioner::look_for_changes(Place& place, std::int64_t now_ns) {
  const auto& heaters = place.printer.config.profile.heaters;
  const std::int64_t drifting_ns = place.printer.drifting_ns.load(std::memory_order_acquire);
  const std::uint32_t drifting = place.printer.drifting_heaters.load(std::memory_order_acquire);
  for (std::size_t i = 0; i < heaters.size(); ++i) {
    const auto* stored = place.book.model(i);
    if (stored == nullptr || !stored->origin.asks_again.empty()) continue;
    const auto then = stored->origin.controller, now = gains_of(place.printer, heaters[i].kind);
    const bool known = std::isfinite(then.p) && std::isfinite(now.p);
    if (known && !same(then, now)) {
      ask_again(place, i,
                fmt::format("its controller has P{:.2f} I{:.2f} D{:.2f}, then P{:.2f} "
                            "I{:.2f} D{:.2f}",
                            now.p, now.i, now.d, then.p, then.i, then.d));
    } else if (drifting_ns != 0 && now_ns - drifting_ns > long_drift_ns &&
               (drifting & (1U << i)) != 0) {
      ask_again(place, i, "it has drifted from its model for half an hour");
    }
  }
}

void Commissioner::step(std::int64_t now_ns) {
  bool heating = false;
  for (auto& place : places_) {
    step_heat_up(*place, now_ns);
    heating = heating || place->printer.heat_up_due_ns.load(std::memory_order_acquire) != 0;
  }
  for (auto& place : places_) {
    place->watcher.step(now_ns);
    // A fit or a slow disk must not make a heat-up look abandoned: all that can wait does.
    if (heating) continue;
    learn_from_prints(*place);
    take_approval(*place);
    look_for_changes(*place, now_ns);
  }
}

void Commissioner::run() noexcept {
  while (!core_.end.load(std::memory_order_acquire)) {
    step(monotonic(clock_));
    std::this_thread::sleep_for(period);
  }
}

}  // namespace firebreak::guard::commission
