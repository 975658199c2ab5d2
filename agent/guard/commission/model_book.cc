#include "agent/guard/commission/model_book.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "agent/guard/thermal/model_fit.h"

namespace firebreak::guard::commission {

using nlohmann::json;
using thermal::StoredModel;
using thermal::StoredModels;

namespace {

/// A label is read to a watt; the next size of heater is a third stronger.
bool differs(double then, double now) {
  return then > 0 && now > 0 && std::fabs(then - now) > 0.02 * then;
}

const StoredModel* find(const StoredModels& models, const std::string& heater) {
  const auto found = models.find(heater);
  return found == models.end() ? nullptr : &found->second;
}

}  // namespace

ModelBook::ModelBook(PrinterRuntime& printer, const std::filesystem::path& state_dir)
    : printer_(printer),
      file_(state_dir / "models" / (printer.config.name + ".json")),
      proposals_file_(state_dir / "models" / (printer.config.name + ".proposed.json")) {
  std::error_code ignored;
  std::filesystem::create_directories(file_.parent_path(), ignored);
}

std::vector<std::string> ModelBook::load() {
  std::vector<std::string> complaints;
  const auto read = [&](const std::filesystem::path& file, StoredModels& into, const char* what) {
    auto models = thermal::read_stored_models(file);
    if (models) {
      into = std::move(*models);
    } else if (models.error().code != ErrorCode::not_found) {
      complaints.push_back(std::string(what) + " are not used: " + models.error().message);
    }
  };
  read(file_, models_, "learned models");
  read(proposals_file_, proposals_, "proposed models");
  const auto& heaters = printer_.config.profile.heaters;
  for (std::size_t i = 0; i < heaters.size(); ++i) check_profile(i);
  publish();
  return complaints;
}

/// A profile that says something else than when the model was learned describes another heater.
void ModelBook::check_profile(std::size_t heater) {
  const auto& profile = printer_.config.profile.heaters[heater];
  const auto* stored = model(heater);
  if (stored == nullptr) return;
  const auto& origin = stored->origin;
  if (differs(origin.watts, profile.heater_watts)) {
    ask_again(heater, fmt::format("the profile now says {:.0f} W, then {:.0f} W",
                                  profile.heater_watts, origin.watts));
  } else if (differs(origin.mass_grams, profile.heated_mass_grams)) {
    ask_again(heater, fmt::format("the profile now says {:.0f} g, then {:.0f} g",
                                  profile.heated_mass_grams, origin.mass_grams));
  } else if (const auto inside = thermal::check_envelope(profile, stored->model); !inside) {
    ask_again(heater, inside.error().message);
  }
}

/// Another plant than the learned one must not be judged by it; another controller or a slow drift
/// leaves the learned model nearer to the truth than the wide priors are (docs/commissioning.md).
bool ModelBook::usable(std::size_t heater) const {
  const auto& profile = printer_.config.profile.heaters[heater];
  const auto* stored = model(heater);
  return stored != nullptr && !differs(stored->origin.watts, profile.heater_watts) &&
         !differs(stored->origin.mass_grams, profile.heated_mass_grams) &&
         thermal::check_envelope(profile, stored->model).has_value();
}

Result<void> ModelBook::save() {
  if (auto done = thermal::write_models(file_, models_); !done) return done;
  return thermal::write_models(proposals_file_, proposals_);
}

Result<void> ModelBook::accept(const StoredModels& models) {
  const auto before = models_;
  const auto proposed = proposals_;
  for (const auto& [heater, stored] : models) {
    models_[heater] = stored;
    proposals_.erase(heater);
  }
  if (auto done = save(); !done) {
    models_ = before;
    proposals_ = proposed;
    return done;
  }
  publish();
  return {};
}

Result<void> ModelBook::propose(const std::string& heater, const StoredModel& model) {
  const auto before = proposals_;
  proposals_[heater] = model;
  if (auto done = save(); !done) {
    proposals_ = before;
    return done;
  }
  publish();
  return {};
}

Result<std::size_t> ModelBook::approve(const std::string& heater, std::int64_t now_wall_ms) {
  StoredModels taken;
  for (const auto& [name, stored] : proposals_) {
    if (!heater.empty() && name != heater) continue;
    taken[name] = stored;
    taken[name].origin.by = "approval";
    taken[name].origin.learned_wall_ms = now_wall_ms;
  }
  if (taken.empty()) {
    return fail(ErrorCode::refused, printer_.config.name + " has no proposal" +
                                        (heater.empty() ? "" : " for " + heater) +
                                        "; firebreak local models shows all");
  }
  if (auto done = accept(taken); !done) return fail(done.error());
  return taken.size();
}

bool ModelBook::ask_again(std::size_t heater, const std::string& why) {
  const auto found = models_.find(printer_.config.profile.heaters[heater].name);
  if (found == models_.end() || !found->second.origin.asks_again.empty()) return false;
  found->second.origin.asks_again = why;
  // If the disk refuses it now, the reason is found again at the next start.
  (void)save();
  publish();
  return true;
}

const StoredModel* ModelBook::model(std::size_t heater) const {
  return find(models_, printer_.config.profile.heaters[heater].name);
}

const StoredModel* ModelBook::proposal(std::size_t heater) const {
  return find(proposals_, printer_.config.profile.heaters[heater].name);
}

bool ModelBook::wants_to_learn(std::size_t heater) const {
  const auto* stored = model(heater);
  return stored == nullptr || !stored->origin.asks_again.empty();
}

void ModelBook::publish() {
  ModelsInUse use;
  printer_.models.load(use);
  ++use.serial;
  ModelNotes notes{};
  for (std::size_t i = 0; i < printer_.config.profile.heaters.size(); ++i) {
    auto& note = notes[i];
    use.heaters[i] = {};
    note.proposed = proposal(i) != nullptr;
    const auto* stored = model(i);
    if (stored == nullptr) continue;
    note.in_use = usable(i);
    if (note.in_use) use.heaters[i] = stored->model;
    const auto& why = stored->origin.asks_again;
    note.state = why.empty() ? ModelNote::State::commissioned : ModelNote::State::asks_again;
    note.residual = stored->model.residual;
    note.learned_wall_ms = stored->origin.learned_wall_ms;
    why.copy(note.why, sizeof(note.why) - 1);
  }
  printer_.models.store(use);
  printer_.model_notes.store(notes);
}

json ModelBook::describe() const {
  const auto one = [](const StoredModel& stored) {
    const auto& origin = stored.origin;
    return json{{"by", origin.by},
                {"learned_ms", origin.learned_wall_ms},
                {"residual", stored.model.residual},
                {"rise_kelvin_per_s", stored.model.rise_kelvin_per_s},
                {"asks_again", origin.asks_again}};
  };
  json heaters = json::array();
  const auto& profiles = printer_.config.profile.heaters;
  for (std::size_t i = 0; i < profiles.size(); ++i) {
    json entry = {
        {"printer", printer_.config.name}, {"heater", profiles[i].name}, {"in_use", usable(i)}};
    entry["model"] = model(i) == nullptr ? json() : one(*model(i));
    entry["proposal"] = proposal(i) == nullptr ? json() : one(*proposal(i));
    heaters.push_back(std::move(entry));
  }
  return heaters;
}

}  // namespace firebreak::guard::commission
