#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/cli/context.h"
#include "coordinator/cli/guard_client.h"
#include "coordinator/cli/stop_report.h"

namespace firebreak::cli {

/// `firebreak local …`: the guard of this host, over its unix socket. No network, no coordinator.

struct StopOrder {
  std::vector<std::string> printers;
  std::string agent;
  bool all = false;
  std::string reason;
  std::chrono::seconds wait{10};  ///< How long a final outcome is awaited.
};

struct ResetOrder {
  std::string printer;
  bool all = false;
  bool host = false;
  std::int64_t latch_number = -1;  ///< -1: not given.
  std::string reason;
  std::string measured_celsius;  ///< Empty: no person's measurement.
};

struct EventsQuery {
  bool follow = false;
  std::int64_t after = -1;  ///< -1: the newest `limit`.
  std::string log;
  std::string printer;
  std::string agent;
  std::string severity;
  int limit = 50;
};

/// One verb with at most a printer and an argument.
struct PlainOrder {
  std::string verb;  ///< The guard's word for it.
  std::string printer;
  int hours = 24;
};

Done local_status(Context& context, const std::string& printer);
Done local_stop(Context& context, const StopOrder& order);
Done local_reset(Context& context, const ResetOrder& order);
Done local_events(Context& context, const EventsQuery& query);
Done local_order(Context& context, const PlainOrder& order);
/// The checks, and where they allow it and a person sits at a terminal, the supervised heat-up.
Done local_commission(Context& context, const std::string& printer);
/// Learned and proposed models; of all printers when `printer` is empty.
Done local_models(Context& context, const std::string& printer);
/// Takes what ordinary prints proposed; for every heater when `heater` is empty.
Done local_approve_model(Context& context, const std::string& printer, const std::string& heater);

/// A stop at the guard of this host, told in a report that the caller finishes; in two halves, so
/// that `firebreak stop` can go on listening to the coordinator between them. Its rows carry
/// `order.agent`. One thread.
class LocalStop {
 public:
  /// All must outlive it.
  LocalStop(Context& context, StopOrder order, StopReport& report)
      : context_(context), order_(std::move(order)), report_(report) {}

  /// Fails when nothing was sent.
  Outcome<void> send();
  /// After send(): until each printer's outcome is final, at most `order.wait` since it was sent.
  void follow();

 private:
  void look();
  [[nodiscard]] bool is_asked(const std::string& printer) const;

  Context& context_;
  const StopOrder order_;
  StopReport& report_;
  std::optional<GuardClient> guard_;
  std::chrono::steady_clock::time_point sent_{};
};

}  // namespace firebreak::cli
