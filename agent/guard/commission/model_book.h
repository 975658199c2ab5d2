#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "agent/guard/core/guard_core.h"
#include "agent/guard/thermal/model_file.h"

namespace firebreak::guard::commission {

/// The models and proposals of one printer: on disk (<state_dir>/models/PRINTER.json and
/// PRINTER.proposed.json), in the monitor's hands, and on screens. What it holds is what the disk
/// holds. One thread; save() and load() block on the disk.
class ModelBook {
 public:
  ModelBook(PrinterRuntime& printer, const std::filesystem::path& state_dir);

  /// Reads both files and gives the monitor what may be used. The sentences say what was found
  /// unusable; a printer that was never commissioned has no file, and needs no sentence.
  [[nodiscard]] std::vector<std::string> load();

  /// Takes learned models (by heater name): written, then used at once.
  [[nodiscard]] Result<void> accept(const thermal::StoredModels& models);
  /// Keeps a model from ordinary prints for a person's approval. Never used before.
  [[nodiscard]] Result<void> propose(const std::string& heater, const thermal::StoredModel& model);
  /// Takes the proposals of one heater (or all, when empty); how many there were.
  [[nodiscard]] Result<std::size_t> approve(const std::string& heater, std::int64_t now_wall_ms);

  /// Marks a heater's model: it should be learned again. False if it was marked already.
  bool ask_again(std::size_t heater, const std::string& why);

  [[nodiscard]] const thermal::StoredModel* model(std::size_t heater) const;
  [[nodiscard]] const thermal::StoredModel* proposal(std::size_t heater) const;
  /// Whether ordinary prints have anything to teach: no model, or one that asks again.
  [[nodiscard]] bool wants_to_learn(std::size_t heater) const;
  [[nodiscard]] nlohmann::json describe() const;

 private:
  [[nodiscard]] Result<void> save();
  [[nodiscard]] bool usable(std::size_t heater) const;
  void check_profile(std::size_t heater);
  void publish();

  PrinterRuntime& printer_;
  const std::filesystem::path file_;
  const std::filesystem::path proposals_file_;
  thermal::StoredModels models_;
  thermal::StoredModels proposals_;
};

}  // namespace firebreak::guard::commission
