// The part of the service that has to do with commissioning and learned models.
#include <nlohmann/json.hpp>
#include <thread>

#include "agent/guard/process/commission_check.h"
#include "agent/guard/process/service.h"

namespace firebreak::guard {

using nlohmann::json;

namespace {

/// An approval is written to the disk and synced.
constexpr std::chrono::seconds approval_wait{3};

}  // namespace

Result<json> GuardServiceImpl::begin_heat_up(PrinterRuntime& printer, const Peer& peer) {
  const auto blockers = heat_up_blockers(core_, printer);
  if (!blockers.empty()) {
    record(EventKind::commission, &printer, peer, "heat-up refused: " + blockers.front());
    return fail(ErrorCode::refused, blockers.front());
  }
  if (auto begun = commissioner_.begin(printer, peer.pid); !begun) {
    return fail(begun.error());
  }
  record(EventKind::commission, &printer, peer, "began the supervised heat-up");
  return commissioner_.progress(printer, peer.pid);
}

Result<json> GuardServiceImpl::commission(const std::string& name, const std::string& step,
                                          const Peer& peer) {
  auto found = find(name);
  if (!found) return fail(found.error());
  PrinterRuntime& printer = **found;
  if (step.empty()) {
    json report = commission_check(core_, printer);
    record(EventKind::commission, &printer, peer,
           report["complete"].get<bool>() ? "commissioning checks: all done"
                                          : "commissioning checks: not complete");
    return report;
  }
  if (step == "begin") return begin_heat_up(printer, peer);
  if (step == "look") {
    json progress = commissioner_.progress(printer, peer.pid);
    if (progress.is_null()) progress = {{"running", false}, {"result", nullptr}};
    return progress;
  }
  const bool confirm = step == "confirm";
  if (!confirm && step != "cancel") {
    return fail(ErrorCode::bad_input, "a step is begin, look, confirm or cancel");
  }
  const auto done =
      confirm ? commissioner_.confirm(printer) : commissioner_.cancel(printer, peer.name);
  if (!done) return fail(done.error());
  record(EventKind::commission, &printer, peer,
         confirm ? "confirmed the supervised heat-up" : "ended the supervised heat-up");
  return commissioner_.progress(printer, peer.pid);
}

Result<json> GuardServiceImpl::models(const std::string& name) {
  if (!name.empty()) {
    if (auto printer = find(name); !printer) return fail(printer.error());
  }
  return json{{"models", commissioner_.models(name)}};
}

Result<void> GuardServiceImpl::approve_model(const std::string& name, const std::string& heater,
                                             const Peer& peer) {
  auto printer = find(name);
  if (!printer) return fail(printer.error());
  commissioner_.ask_approval(**printer, heater, peer.name);
  const auto until = std::chrono::steady_clock::now() + approval_wait;
  while (std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
    attend_stops_();
    if (auto result = commissioner_.approval_result(**printer)) return *result;
  }
  return fail(ErrorCode::unavailable,
              "not yet: the disk is slow, or a heat-up is running; look at `firebreak local "
              "models` in a moment");
}

}  // namespace firebreak::guard
