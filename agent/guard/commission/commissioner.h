#pragma once

#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "agent/guard/commission/model_book.h"
#include "agent/guard/commission/print_watcher.h"
#include "agent/guard/commission/supervised_heat_up.h"
#include "common/base/clock.h"

namespace firebreak::guard::commission {

/// The thread `commission`: supervised heat-ups, learning from prints, and the models. Nothing that
/// protects waits for it. Its door for the control thread holds a lock that this thread keeps for
/// moments only: never during a fit, never while the disk is written.
class Commissioner {
 public:
  static constexpr std::chrono::milliseconds period{100};

  /// Reads the models and gives them to the printers; to be made before the monitor. What cannot
  /// be used is added to `core.warnings`.
  Commissioner(GuardCore& core, EventQueue& events, const Clock& clock);

  /// step() until core.end, ten times a second. The commissioning thread.
  void run() noexcept;
  /// One look at every printer. Public for tests on a virtual clock.
  void step(std::int64_t now_ns);

  // The control thread's door.
  /// Begins a supervised heat-up; the caller has checked that the printer is ready for it.
  [[nodiscard]] Result<void> begin(PrinterRuntime& printer, int pid);
  /// A person confirms.
  [[nodiscard]] Result<void> confirm(PrinterRuntime& printer);
  [[nodiscard]] Result<void> cancel(PrinterRuntime& printer, const std::string& who);
  /// How it stands, or how the last one ended; null if there was none. Renews the command line's
  /// sign of life if `pid` is the process that began it.
  [[nodiscard]] nlohmann::json progress(const PrinterRuntime& printer, int pid);
  /// All models and proposals, as they were at the last change.
  [[nodiscard]] nlohmann::json models(const std::string& printer);
  /// Asks for an approval; its result comes from approval_result().
  void ask_approval(const PrinterRuntime& printer, const std::string& heater,
                    const std::string& who);
  /// The result of the last approval that was asked for, once it is there.
  [[nodiscard]] std::optional<Result<void>> approval_result(const PrinterRuntime& printer);

 private:
  struct Approval {
    std::string heater;
    std::string who;
  };
  /// One printer. `book` and `watcher` belong to the commissioning thread; the rest is behind the
  /// lock.
  struct Place {
    Place(PrinterRuntime& runtime, const std::filesystem::path& state_dir)
        : printer(runtime), book(runtime, state_dir), watcher(runtime) {}
    PrinterRuntime& printer;
    ModelBook book;
    PrintWatcher watcher;
    std::unique_ptr<SupervisedHeatUp> heat_up;
    int pid = 0;
    nlohmann::json last;    ///< How the last heat-up ended.
    nlohmann::json models;  ///< book.describe() as of the last change.
    std::optional<Approval> approval;
    std::optional<Result<void>> approved;
  };

  Place& place_of(const PrinterRuntime& printer) { return *places_[printer.index]; }
  void step_heat_up(Place& place, std::int64_t now_ns);
  void learn_from(Place& place, const std::vector<std::vector<thermal::HeatUpSample>>& samples);
  void end_without_model(Place& place, const std::string& why);
  void learn_from_prints(Place& place);
  void take_approval(Place& place);
  void look_for_changes(Place& place, std::int64_t now_ns);
  void ask_again(Place& place, std::size_t heater, const std::string& why);
  void tell_asks_again(const PrinterRuntime& printer, std::size_t heater, const std::string& why);
  [[nodiscard]] thermal::ModelOrigin origin_of(const PrinterRuntime& printer, std::size_t heater,
                                               const std::string& by) const;
  void record(EventKind kind, Severity severity, const PrinterRuntime& printer,
              const std::string& sentence);
  void describe(Place& place);

  GuardCore& core_;
  EventQueue& events_;
  const Clock& clock_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Place>> places_;
};

}  // namespace firebreak::guard::commission
