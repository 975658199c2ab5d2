#include <fmt/format.h>
#include <poll.h>

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

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

// How long the agent of this host may be silent before its guard is asked directly as well.
constexpr std::chrono::seconds own_silence_max{2};

// The coordinator took the stop. Where it does not reach the agent of the host on which this runs,
// the guard here is asked as well: the way to it needs no network.
class OwnHost {
 public:
  OwnHost(Context& context, const StopOrder& order, StopReport& report)
      : context_(context), order_(order), report_(report) {}

  void expect(const std::string& printer, const std::string& agent) {
    report_.expect(printer, agent);
    targets_[agent].insert(printer);
  }

  // One answer of the coordinator.
  void take(const StopAnswer& answer) {
    const bool reached = answer.outcome == "proven" || answer.outcome == "sent";
    const bool missed = answer.outcome == "not_sent" || (answer.final && !reached);
    if (missed && help(answer.agent)) return;
    if (reached) targets_[answer.agent].erase(answer.printer);
    report_.update(answer);
  }

  // The stop has been under way for so long: who is still silent is asked here.
  void look(std::chrono::seconds waited) {
    if (waited < own_silence_max || looked_) return;
    looked_ = true;
    const auto silent = targets_.find(name());
    if (silent != targets_.end() && !silent->second.empty()) help(silent->first);
  }

  void finish() {
    look(own_silence_max);
    if (stop_) stop_->follow();
  }

 private:
  // True when the guard of this host is (or was) asked to stop what this agent holds.
  bool help(const std::string& agent) {
    if (agent.empty() || agent != name()) return false;
    if (tried_) return stop_.has_value();
    tried_ = true;
    StopOrder share;
    share.agent = agent;
    share.wait = order_.wait;
    const auto& printers = targets_[agent];
    share.printers.assign(printers.begin(), printers.end());
    context_.console.note("the coordinator does not reach this host's agent; stopping here as well",
                          Tone::alarm);
    stop_.emplace(context_, share, report_);
    if (!stop_->send()) stop_.reset();
    return stop_.has_value();
  }

  // The agent's name of the guard on this host; empty when there is none, or it may not be asked.
  const std::string& name() {
    if (name_) return *name_;
    name_.emplace();
    auto guard = GuardClient::connect(context_.guard_socket());
    if (!guard) return *name_;
    const auto status = guard->ask({{"do", "status"}}, std::chrono::seconds{2});
    if (status) *name_ = text_of(*status, "agent");
    return *name_;
  }

  Context& context_;
  const StopOrder& order_;
  StopReport& report_;
  std::map<std::string, std::set<std::string>> targets_;  // by agent; those not reached yet
  std::optional<std::string> name_;
  std::optional<LocalStop> stop_;
  bool tried_ = false;
  bool looked_ = false;
};

// The coordinator did not take the stop: whatever a guard on this host holds is stopped without it.
Done stop_without_coordinator(Context& context, const StopOrder& order, Failure failure) {
  StopReport report(context.console, "firebreak local status");
  const StopOrder share = share_of_this_host(context, order);
  const bool anything = share.all || !share.printers.empty();
  bool sent = false;
  if (anything) {
    context.console.note(failure.message + ". Stopping what the guard on this host holds",
                         Tone::alarm);
    LocalStop stop(context, share, report);
    sent = stop.send().has_value();
    if (sent) stop.follow();
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
  OwnHost own(context, order, report);
  for (const auto& target : list_of(*started, "targets")) {
    own.expect(text_of(target, "printer"), text_of(target, "agent"));
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
        own.take(answer_from(answer));
        return !report.complete();
      },
      [&](std::chrono::seconds waited) {
        own.look(waited);
        if (waited.count() < 1) return;
        context.console.progress(fmt::format("sent; waiting for proof: {} ({} s)",
                                             report.waiting_for(), waited.count()));
      });
  if (!followed) context.console.note(followed.error().message, Tone::alarm);
  own.finish();
  return report.finish(true);
}

}  // namespace firebreak::cli
