#include "tests/thermal/bench/contest.h"

#include <algorithm>
#include <memory>

namespace firebreak::thermal_bench {

namespace {

constexpr double give_up_hotend_s = 400;  ///< After the fault: later is a miss.
constexpr double give_up_other_s = 700;
constexpr double longest_wait_s = 3600;  ///< For the moment of the fault.
/// A step without a new report only ages what is known; lives are stepped this often between.
constexpr double sparse_step_s = 0.5;

std::unique_ptr<Anchor> make_anchor(Make make, const AnchorSetup& setup) {
  if (setup.kind == HeaterKind::chamber) return make_limits(setup);
  switch (make) {
    case Make::klipper: return make_klipper(setup);
    case Make::marlin: return make_marlin(setup);
    case Make::marlin_variance: return make_marlin_variance(setup);
    case Make::prusa: return make_prusa(setup);
    case Make::reprap: return make_reprap(setup);
    case Make::firebreak: break;
  }
  return nullptr;
}

/// An entrant in one run.
class Runner {
 public:
  Runner(const Entrant& entrant, const Prepared& prepared) : stream_(entrant.stream) {
    if (entrant.make == Make::firebreak) {
      const auto* learned = entrant.commissioned ? &prepared.learned[entrant.stream] : nullptr;
      engine_ = std::make_unique<Engine>(prepared.machine, learned, entrant.scale);
      refused_ = learned != nullptr ? learned->refused : 0;
      return;
    }
    for (auto setup : prepared.anchors) {
      setup.scale = entrant.scale;
      anchors_.push_back(make_anchor(entrant.make, setup));
    }
  }

  /// True when it trips at this tick.
  bool tick(const Printer& printer, std::size_t due_streams,
            const std::vector<std::vector<Report>>& reports, bool sparse) {
    if (engine_) return tick_engine(printer.t_s(), due_streams, reports, sparse);
    const double t = printer.t_s();
    if (t < due_s_) return false;
    due_s_ += anchors_[0]->period_s();
    bool fault = false;
    for (std::size_t i = 0; i < anchors_.size(); ++i) {
      const auto& heater = printer.heaters()[i];
      const AnchorSample sample{t, heater.reading, heater.target, heater.duty,
                                printer.wishes().fan};
      if (!anchors_[i]->step(sample) || fault) continue;
      fault = true;
      heater_ = i;
    }
    return fault;
  }
  void describe(Outcome& outcome) const {
    outcome.heater = static_cast<std::uint8_t>(engine_ ? engine_->heater() : heater_);
    if (engine_) outcome.rule = static_cast<std::uint8_t>(engine_->rule());
  }
  [[nodiscard]] const Engine* engine() const { return engine_.get(); }
  [[nodiscard]] std::uint32_t refused() const { return refused_; }

 private:
  bool tick_engine(double t, std::size_t due_streams,
                   const std::vector<std::vector<Report>>& reports, bool sparse) {
    const bool fresh = ((due_streams >> stream_) & 1U) != 0;
    if (fresh) engine_->take(reports[stream_]);
    if (sparse && !fresh && t - stepped_s_ < sparse_step_s) return false;
    stepped_s_ = t;
    return engine_->step(t);
  }

  std::size_t stream_;
  std::unique_ptr<Engine> engine_;
  std::vector<std::unique_ptr<Anchor>> anchors_;
  double due_s_ = 0, stepped_s_ = 0;
  std::size_t heater_ = 0;
  std::uint32_t refused_ = 0;
};

/// The streams of one run and what is due of them.
class Ears {
 public:
  Ears(const std::vector<StreamStyle>& styles, const MachineDesign& machine, std::uint64_t seed)
      : reports_(styles.size()) {
    for (std::size_t i = 0; i < styles.size(); ++i) {
      streams_.emplace_back(styles[i], machine, mix(seed, i));
    }
  }
  void listen(const Printer& printer) {
    due_ = 0;
    for (std::size_t i = 0; i < streams_.size(); ++i) {
      if (streams_[i].listen(printer, reports_[i])) due_ |= std::size_t{1} << i;
    }
  }
  [[nodiscard]] std::size_t due() const { return due_; }
  [[nodiscard]] const std::vector<std::vector<Report>>& reports() const { return reports_; }

 private:
  std::vector<Stream> streams_;
  std::vector<std::vector<Report>> reports_;
  std::size_t due_ = 0;
};

std::size_t heater_of(const Printer& printer, HeaterKind kind) {
  for (std::size_t i = 0; i < printer.heaters().size(); ++i) {
    if (printer.heaters()[i].kind == kind) return i;
  }
  return printer.heaters().size();
}

std::vector<Runner> line_up(const Prepared& prepared, const std::vector<Entrant>& entrants) {
  std::vector<Runner> runners;
  for (const auto& entrant : entrants) runners.emplace_back(entrant, prepared);
  return runners;
}

/// The body of the broken heater, from the fault on.
struct Heat {
  double from = 0;
  double hottest = 0;

  void note(Outcome& outcome, double peak, double limit) const {
    outcome.overshoot = static_cast<float>(std::max(hottest, peak) - from);
    outcome.past_limit = static_cast<float>(std::max(hottest, peak) - limit);
  }
};

}  // namespace

std::vector<std::vector<Report>> supervised_heatup(const MachineDesign& machine,
                                                   const PrintProgram& program,
                                                   const std::vector<StreamStyle>& streams) {
  Printer printer(machine, program, LifeStyle::commission, mix(machine.seed, 1));
  Ears ears(streams, machine, 11);
  std::vector<std::vector<Report>> heatups(streams.size());
  while (!printer.commissioned()) {
    printer.tick();
    ears.listen(printer);
    for (std::size_t i = 0; i < streams.size(); ++i) {
      if (((ears.due() >> i) & 1U) == 0) continue;
      const auto& news = ears.reports()[i];
      heatups[i].insert(heatups[i].end(), news.begin(), news.end());
    }
  }
  return heatups;
}

Prepared prepare(const Group& group, const PrintProgram& program, std::uint64_t number,
                 const std::vector<StreamStyle>& streams) {
  Prepared out;
  out.machine = draw_machine(group, number);
  for (const auto& heater : out.machine.heaters) {
    AnchorSetup setup;
    setup.kind = heater.kind;
    setup.limit_celsius = limit_celsius(heater.kind);
    setup.watts = heater.draw.plant->nominal_watts();
    setup.tuned_at_celsius = heater.draw.target_celsius;
    setup.air_celsius = out.machine.habits.room_celsius;
    StepTest test;
    test.target_celsius = heater.draw.target_celsius;
    test.around.air_celsius = setup.air_celsius;
    setup.response = step_response(*heater.draw.plant, test);
    out.anchors.push_back(setup);
  }
  const auto heatups = supervised_heatup(out.machine, program, streams);
  for (const auto& heatup : heatups) out.learned.push_back(learn(out.machine, heatup));
  return out;
}

std::vector<Outcome> play_fault(const Prepared& prepared, const PrintProgram& program,
                                const FaultCase& fault, std::uint64_t seed,
                                const std::vector<StreamStyle>& streams,
                                const std::vector<Entrant>& entrants) {
  const auto style = fault.moment == Moment::idle ? LifeStyle::idle : LifeStyle::one_print;
  Printer printer(prepared.machine, program, style, seed);
  const auto index = heater_of(printer, fault.heater);
  if (index == printer.heaters().size()) return {};
  printer.plan(fault);
  Ears ears(streams, prepared.machine, seed);
  auto runners = line_up(prepared, entrants);
  std::vector<Outcome> outcomes(entrants.size());
  std::vector<bool> done(entrants.size());
  std::size_t left = entrants.size();
  const double give_up = fault.heater == HeaterKind::hotend ? give_up_hotend_s : give_up_other_s;
  const double limit = limit_celsius(fault.heater);
  Heat heat;
  bool broken = false;
  double asked_s = 0;
  while (left > 0) {
    printer.tick();
    const auto& heater = printer.heaters()[index];
    const double body = heater.plant->body_celsius();
    if (!broken && printer.t_s() > longest_wait_s) return {};
    if (!broken && printer.fault_at_s() >= 0) {
      broken = true;
      heat.from = heat.hottest = std::max(body, heater.target);
    }
    heat.hottest = std::max(heat.hottest, body);
    if (broken) asked_s += heater.duty * Printer::tick_s;
    if (broken && printer.t_s() - printer.fault_at_s() > give_up) break;
    ears.listen(printer);
    double peak = -1;
    for (std::size_t i = 0; i < runners.size(); ++i) {
      if (done[i] || !runners[i].tick(printer, ears.due(), ears.reports(), false)) continue;
      done[i] = true;
      --left;
      auto& outcome = outcomes[i];
      runners[i].describe(outcome);
      outcome.early = !broken;
      outcome.trip_s = broken ? printer.t_s() - printer.fault_at_s() : -1;
      outcome.asked_s = static_cast<float>(asked_s);
      if (broken && peak < 0) peak = printer.peak_if_cut(index);
      if (broken) heat.note(outcome, peak, limit);
    }
  }
  for (std::size_t i = 0; i < runners.size(); ++i) {
    if (!done[i]) heat.note(outcomes[i], heat.hottest, limit);
  }
  return broken || left == 0 ? outcomes : std::vector<Outcome>{};
}

std::vector<Outcome> play_life(const Prepared& prepared, const PrintProgram& program, double hours,
                               std::uint64_t seed, const std::vector<StreamStyle>& streams,
                               const std::vector<Entrant>& entrants) {
  Printer printer(prepared.machine, program, LifeStyle::whole, seed);
  Ears ears(streams, prepared.machine, seed);
  auto runners = line_up(prepared, entrants);
  std::vector<Outcome> outcomes(entrants.size());
  std::vector<bool> done(entrants.size());
  const auto close = [&](std::size_t i) {
    outcomes[i].watched_s = printer.t_s();
    outcomes[i].refused = runners[i].refused();
    if (printer.sock_lost()) return;
    outcomes[i].calm_s = printer.t_s();
    if (const auto* engine = runners[i].engine()) outcomes[i].warnings = engine->warnings();
  };
  bool sock = true;
  while (printer.t_s() < hours * 3600) {
    printer.tick();
    ears.listen(printer);
    if (sock && printer.sock_lost()) {
      sock = false;
      for (std::size_t i = 0; i < runners.size(); ++i) {
        if (done[i]) continue;
        outcomes[i].calm_s = printer.t_s();
        if (const auto* engine = runners[i].engine()) outcomes[i].warnings = engine->warnings();
      }
    }
    for (std::size_t i = 0; i < runners.size(); ++i) {
      if (done[i] || !runners[i].tick(printer, ears.due(), ears.reports(), true)) continue;
      done[i] = true;
      runners[i].describe(outcomes[i]);
      outcomes[i].trip_s = printer.t_s();
      close(i);
    }
  }
  for (std::size_t i = 0; i < runners.size(); ++i) {
    if (!done[i]) close(i);
  }
  return outcomes;
}

}  // namespace firebreak::thermal_bench
