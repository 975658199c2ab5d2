#include <fmt/format.h>

#include <algorithm>

#include "coordinator/cli/api.h"
#include "coordinator/cli/json_access.h"
#include "coordinator/cli/remote.h"
#include "coordinator/cli/render.h"
#include "coordinator/cli/suggest.h"

namespace firebreak::cli {
namespace {

using nlohmann::json;

// A stream is left after this time and begun anew, so that no limit of libcurl is ever "none".
constexpr std::chrono::hours follow_limit{24 * 365};

bool needs_attention(const json& printer) {
  return !field(printer, "attention").is_null() || text_of(printer, "state") == "unknown";
}

// A 404 on one printer's name, with the name that was probably meant.
Failure with_suggestion(Api& api, Failure failure, const std::string& name) {
  if (failure.status != ExitStatus::not_found) return failure;
  const auto all = api.get("/api/v1/printers");
  if (!all) return failure;
  std::vector<std::string> names;
  for (const auto& printer : list_of(*all, "printers")) names.push_back(text_of(printer, "name"));
  const auto meant = nearest(name, names);
  if (meant.empty()) return failure;
  failure.message += "; did you mean '" + meant + "'?";
  failure.next = "firebreak status --printer " + meant;
  return failure;
}

void show_summary(Console& console, const json& fleet) {
  const auto& summary = field(fleet, "summary");
  const auto count = [&](const char* name) { return whole_of(summary, name).value_or(0); };
  console.heading(fmt::format("{} of {} agents connected, {} printers: {} latched, {} unknown, {} "
                              "need attention",
                              count("agents_connected"), count("agents"), count("printers"),
                              count("printers_latched"), count("printers_unknown"),
                              count("printers_attention")),
                  Tone::strong);
}

void show_event(Console& console, const json& event) {
  if (console.json())
    console.document(event);
  else
    console.row(event_cells(event), event_widths());
}

std::string events_query(const EventsQuery& query) {
  std::string text;
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty())
      text += std::string(text.empty() ? "?" : "&") + name + "=" + url_part(value);
  };
  add("printer", query.printer);
  add("agent", query.agent);
  add("severity", query.severity);
  return text;
}

Done follow_events(Context& context, Api& api, const EventsQuery& query, std::int64_t after) {
  const auto path = "/api/v1/events/stream" + events_query(query);
  const auto show = [&](const SseEvent& event) {
    const auto value = json::parse(event.data, nullptr, false);
    if (value.is_object() && value.contains("kind")) show_event(context.console, value);
    return !context.console.out_is_broken();
  };
  const auto done =
      api.follow(path, std::to_string(after), follow_limit, show, [] { return true; });
  if (!done) return give_up(done.error());
  return ExitStatus::done;
}

}  // namespace

Done fleet_status(Context& context, const std::string& printer, bool check) {
  auto api = Api::open(context);
  if (!api) return give_up(api.error());
  if (!printer.empty()) {
    const auto found = api->get("/api/v1/printers/" + url_part(printer));
    if (!found) return give_up(with_suggestion(*api, found.error(), printer));
    if (context.console.json())
      context.console.document(*found);
    else
      context.console.table(printer_facts(*found), "");
    return check && needs_attention(*found) ? ExitStatus::check_says_no : ExitStatus::done;
  }
  const auto fleet = api->get("/api/v1/fleet");
  if (!fleet) return give_up(fleet.error());
  const auto& printers = list_of(*fleet, "printers");
  if (context.console.json()) {
    context.console.document(printers);
  } else {
    show_summary(context.console, *fleet);
    context.console.table(printers_table(printers, true),
                          "no agent has reported a printer yet; firebreak enroll AGENT adds one");
  }
  const bool bad = std::any_of(printers.begin(), printers.end(), needs_attention);
  return check && bad ? ExitStatus::check_says_no : ExitStatus::done;
}

Done fleet_overview(Context& context) {
  auto api = Api::open(context);
  if (!api) return give_up(api.error());
  const auto fleet = api->get("/api/v1/fleet");
  if (!fleet) return give_up(fleet.error());
  if (context.console.json()) {
    context.console.document(*fleet);
    return ExitStatus::done;
  }
  show_summary(context.console, *fleet);
  // A pipe gets one table of one shape; the agents have their own command.
  if (context.console.for_people()) {
    context.console.table(agents_table(list_of(*fleet, "agents")), "no agent is enrolled yet");
    context.console.heading("");
  }
  context.console.table(printers_table(list_of(*fleet, "printers"), true),
                        "no agent has reported a printer yet; firebreak enroll AGENT adds one");
  return ExitStatus::done;
}

Done fleet_agents(Context& context) {
  auto api = Api::open(context);
  if (!api) return give_up(api.error());
  const auto agents = api->get("/api/v1/agents");
  if (!agents) return give_up(agents.error());
  const auto& list = agents->is_array() ? *agents : list_of(*agents, "agents");
  if (context.console.json())
    context.console.document(list);
  else
    context.console.table(agents_table(list), "no agent is enrolled yet; firebreak enroll AGENT");
  return ExitStatus::done;
}

Done fleet_events(Context& context, const EventsQuery& query) {
  auto api = Api::open(context);
  if (!api) return give_up(api.error());
  std::string filter = events_query(query);
  std::int64_t after = std::max<std::int64_t>(query.after, 0);
  int left = query.limit;
  bool newest = query.after < 0;
  while (left > 0) {
    std::string path = "/api/v1/events" + filter + (filter.empty() ? "?" : "&");
    const int count = std::min(left, 500);
    path +=
        newest ? fmt::format("latest={}", count) : fmt::format("after={}&limit={}", after, count);
    const auto page = api->get(path);
    if (!page) return give_up(page.error());
    const auto& events = list_of(*page, "events");
    for (const auto& event : events) show_event(context.console, event);
    left -= static_cast<int>(events.size());
    after = whole_of(*page, newest ? "last" : "next").value_or(after);
    if (newest || events.empty()) break;
  }
  if (query.follow) return follow_events(context, *api, query, after);
  return ExitStatus::done;
}

}  // namespace firebreak::cli
