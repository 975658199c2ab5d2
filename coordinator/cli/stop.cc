#include <fmt/format.h>
#include <poll.h>

#include <nlohmann/json.hpp>

#include "coordinator/cli/guard_client.h"
#include "coordinator/cli/json_access.h"
#include "coordinator/cli/operation.h"
#include "coordinator/cli/remote.h"
#include "coordinator/cli/stop_report.h"

namespace firebreak::cli {
namespace {

using nlohmann::json;

constexpr int stop_tries = 2;

StopAnswer answer_from(const json& value) {
  StopAnswer answer;
  answer.printer = text_of(value, "printer");
  answer.agent = text_of(value, "agent");
  answer.outcome = text_of(value, "outcome");
  answer.state = text_of(value, "state");
  answer.message = text_of(value, "message");
  answer.final = flag_of(value, "final");
  const auto code = text_of(value, "code");
  // An agent that is away has certainly not been told; without an answer nobody knows.
  if (answer.outcome.empty() && code == "agent_offline") answer.outcome = "not_sent";
  return answer;
}

// What `order` asks of one guard, on the host where this runs; empty names and no `all` when that
// guard has nothing to do with it.
StopOrder share_of_this_host(Context& context, const StopOrder& order) {
  StopOrder share;
  share.wait = order.wait;
  share.all = order.all;
  if (order.all) return share;
  auto guard = GuardClient::connect(context.guard_socket());
  if (!guard) return share;
  const auto status = guard->ask({{"do", "status"}}, std::chrono::seconds{2});
  if (!status) return share;
  const auto agent = text_of(*status, "agent");
  if (!order.agent.empty() && agent == order.agent) share.all = true;
  for (const auto& printer : list_of(*status, "printers")) {
    const auto name = text_of(printer, "name");
    for (const auto& wanted : order.printers) {
      if (wanted == name || wanted == agent + ":" + name) share.printers.push_back(name);
    }
  }
  return share;
}

// The coordinator did not take the stop: whatever a guard on this host holds is stopped without it.
Done stop_without_coordinator(Context& context, const StopOrder& order, Failure failure) {
  StopReport report(context.console, "firebreak local status");
  const StopOrder share = share_of_this_host(context, order);
  const bool anything = share.all || !share.printers.empty();
  bool sent = false;
  if (anything) {
    context.console.note(failure.message + ". Stopping what the guard on this host holds",
                         Tone::alarm);
    sent = stop_on_this_host(context, share, report).has_value();
  }
  ExitStatus status = failure.status;
  if (sent) status = report.finish(true);
  for (const auto& name : order.printers) {
    bool done = false;
    for (const auto& own : share.printers) done = done || name == own || name.ends_with(":" + own);
    if (sent && done) continue;
    context.console.note(name + ": NOT SENT. Pull the power", Tone::alarm);
    if (sent) status = ExitStatus::partly;
  }
  if (order.printers.empty()) {
    const char* rest = sent ? "every other printer" : "every printer";
    context.console.note(std::string(rest) + ": NOT SENT. Pull the power", Tone::alarm);
    if (sent && status == ExitStatus::done && order.agent.empty()) status = ExitStatus::partly;
  }
  if (sent) return status;
  failure.status = status == ExitStatus::done ? ExitStatus::failed : status;
  failure.next = "pull the power; on each printer's own host: firebreak local stop";
  return give_up(failure);
}

Outcome<json> post_stop(Api& api, const json& body) {
  auto started = api.post("/api/v1/stop", body);
  // A stop may be repeated at will: each one sends again. Only a broken way is worth it.
  for (int tries = 1; !started && tries < stop_tries && api.unreachable(); ++tries) {
    started = api.post("/api/v1/stop", body);
  }
  return started;
}

}  // namespace

Done fleet_stop(Context& context, const StopOrder& order) {
  auto api = Api::open(context);
  if (!api) return stop_without_coordinator(context, order, api.error());
  api->hurry();
  json body = json::object();
  if (!order.printers.empty())
    body["printers"] = order.printers;
  else if (!order.agent.empty())
    body["agent"] = order.agent;
  else
    body["all"] = true;
  if (!order.reason.empty()) body["reason"] = order.reason;
  const auto started = post_stop(*api, body);
  if (!started) {
    // A name that is not known says nothing against the coordinator.
    if (started.error().status == ExitStatus::not_found) return give_up(started.error());
    return stop_without_coordinator(context, order, started.error());
  }
  StopReport report(context.console, "firebreak status");
  for (const auto& target : list_of(*started, "targets")) {
    report.expect(text_of(target, "printer"), text_of(target, "agent"));
  }
  for (const auto& name : list_of(*started, "unknown")) {
    if (name.is_string()) report.unknown_name(name.get<std::string>());
  }
  if (const auto warning = text_of(*started, "warning"); !warning.empty()) {
    context.console.note(warning, Tone::warning);
  }
  if (report.empty()) return report.finish(true);
  const auto followed = follow_operation(
      *api, text_of(*started, "operation"), order.wait,
      [&](const json& answer) {
        report.update(answer_from(answer));
        return !report.complete();
      },
      [&](std::chrono::seconds waited) {
        if (waited.count() < 1) return;
        context.console.progress(fmt::format("sent; waiting for proof: {} ({} s)",
                                             report.waiting_for(), waited.count()));
      });
  if (!followed) context.console.note(followed.error().message, Tone::alarm);
  return report.finish(true);
}

}  // namespace firebreak::cli
