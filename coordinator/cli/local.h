#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "coordinator/cli/context.h"
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
  std::string step;
  int hours = 24;
};

Done local_status(Context& context, const std::string& printer);
Done local_stop(Context& context, const StopOrder& order);
Done local_reset(Context& context, const ResetOrder& order);
Done local_events(Context& context, const EventsQuery& query);
Done local_order(Context& context, const PlainOrder& order);

/// Sends the stop to the guard of this host and follows it in `report`, without finishing it, so
/// that `firebreak stop` can use it when the coordinator does not answer. Fails when nothing was
/// sent.
Outcome<void> stop_on_this_host(Context& context, const StopOrder& order, StopReport& report);

}  // namespace firebreak::cli
