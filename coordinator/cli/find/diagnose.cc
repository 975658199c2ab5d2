#include "coordinator/cli/find/diagnose.h"

#include <fmt/format.h>
#include <poll.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "agent/uplink/diagnosis/diagnosis.h"
#include "coordinator/cli/api.h"
#include "coordinator/cli/find/host_view.h"
#include "coordinator/cli/guard_client.h"
#include "coordinator/cli/inquiry.h"
#include "coordinator/cli/json_access.h"
#include "coordinator/cli/render.h"

namespace firebreak::cli {
namespace {

using nlohmann::json;
using Time = std::chrono::steady_clock;

/// How long a printer whose service was restarted may take until its guard hears it.
constexpr std::chrono::seconds back_time{30};
constexpr int look_every_ms = 500;

using Look = std::function<Outcome<json>()>;

bool is_back(const json& printer) { return text_of(field(printer, "link"), "state") == "ready"; }

/// The printer as status shows it; after a repair, when it is back or the time is over.
Outcome<json> last_look(Context& context, const Look& look, bool repaired) {
  const auto until = Time::now() + back_time;
  for (;;) {
    auto printer = look();
    if (!printer || is_back(*printer) || !repaired || Time::now() >= until) return printer;
    context.console.progress("waiting for the printer's first report");
    poll(nullptr, 0, look_every_ms);
  }
}

json step_of(const char* name, bool good, std::string finding, std::string next) {
  return {{"step", name},
          {"outcome", good ? "good" : "bad"},
          {"finding", std::move(finding)},
          {"next", std::move(next)}};
}

Tone tone_of(const std::string& outcome) {
  if (outcome == "bad") return Tone::alarm;
  return outcome == "unknown" ? Tone::warning : Tone::good;
}

void show_steps(Console& console, const json& steps) {
  Table table;
  table.header = {"STEP", "OUTCOME", "FINDING", "NEXT"};
  table.cut = false;
  for (const auto& step : steps) {
    const auto outcome = text_of(step, "outcome");
    const auto next = text_of(step, "next");
    table.rows.push_back({{text_of(step, "step"), Tone::strong},
                          {outcome, tone_of(outcome)},
                          {text_of(step, "finding")},
                          {next.empty() ? "-" : next}});
  }
  console.table(table, "");
}

/// Shows the report with the printer's status line, and says whether it is back.
Done finish(Context& context, json report, const Look& look, bool with_agent) {
  const auto printer = last_look(context, look, flag_of(report, "repaired"));
  context.console.progress("");
  const bool back = printer && is_back(*printer);
  report["back"] = back;
  report["status"] = printer ? *printer : json();
  if (context.console.json()) {
    context.console.document(report);
  } else {
    show_steps(context.console, list_of(report, "steps"));
    if (context.console.for_people()) context.console.heading("");
    if (printer)
      context.console.table(printers_table(json::array({*printer}), with_agent), "");
    else
      context.console.note(printer.error().message, Tone::warning);
    context.console.note(back ? "it is back: it answers its guard" : "it is NOT back",
                         back ? Tone::good : Tone::alarm);
  }
  return back ? ExitStatus::done : ExitStatus::check_says_no;
}

}  // namespace

Done fleet_diagnose(Context& context, const DiagnoseRequest& request) {
  auto opened = Api::open(context);
  if (!opened) return give_up(opened.error());
  Api& api = *opened;
  const auto path = "/api/v1/printers/" + url_part(request.printer);
  const auto look = [&] { return api.get(path); };
  const auto printer = look();
  if (!printer) return give_up(printer.error());
  const auto agent = text_of(*printer, "agent");
  json steps = json::array();
  json report = {{"printer", text_of(*printer, "name")}, {"agent", agent}};
  const auto started = api.post(path + "/diagnose", {{"fix", request.fix}});
  const auto answer = started ? await_inquiry(api, text_of(*started, "inquiry"),
                                              [&](std::chrono::seconds waited) {
                                                context.console.progress(fmt::format(
                                                    "{} looks ({} s)", agent, waited.count()));
                                              })
                              : Outcome<json>(give_up(started.error()));
  // Not allowed, or asked wrongly: that is no finding about the printer.
  if (!started && started.error().status == ExitStatus::not_allowed)
    return give_up(started.error());
  steps.push_back(step_of("agent", answer.has_value(),
                          answer ? agent + " answers" : answer.error().message,
                          answer ? ""
                                 : "look at its host: power, network, then: systemctl status "
                                   "firebreak-uplink; meanwhile there: firebreak local "
                                   "diagnose --printer " +
                                       text_of(*printer, "name")));
  for (const auto& step : answer ? list_of(*answer, "steps") : json::array()) steps.push_back(step);
  report["kind"] = answer ? text_of(*answer, "kind") : "";
  report["repaired"] = answer && flag_of(*answer, "repaired");
  report["steps"] = std::move(steps);
  return finish(context, std::move(report), look, true);
}

Done local_diagnose(Context& context, const DiagnoseRequest& request) {
  const auto look = [&]() -> Outcome<json> {
    auto guard = GuardClient::connect(context.guard_socket());
    if (!guard) return give_up(guard.error());
    const auto status = guard->ask({{"do", "status"}});
    if (!status) return give_up(status.error());
    for (const auto& printer : list_of(*status, "printers"))
      if (text_of(printer, "name") == request.printer) return printer;
    return give_up(ExitStatus::not_found, "the guard has no printer '" + request.printer + "'",
                   "firebreak local status");
  };
  const auto view = view_of_this_host(context, request.uplink_config);
  const uplink::Cancelled never{false};
  auto report = uplink::diagnose({request.printer, request.fix}, view, never);
  if (!report)
    return give_up(view.guard_problem.empty() ? ExitStatus::not_found : ExitStatus::failed,
                   view.guard_problem.empty() ? report.error().message : view.guard_problem,
                   "firebreak local status");
  return finish(context, std::move(*report), look, false);
}

}  // namespace firebreak::cli
