#include "common/base/escape.h"
#include "common/base/hex.h"
#include "coordinator/api/api.h"
#include "coordinator/api/event_stream.h"
#include "coordinator/api/fields.h"
#include "coordinator/store/wall_text.h"

namespace firebreak::coordinator {

using nlohmann::json;

Response Api::ready(const Request&) {
  const StoreHealth health = parts_.store.health();
  const bool listening = parts_.agents_listening && parts_.agents_listening();
  const bool ready = health == StoreHealth::ok && listening;
  json detail;
  if (health == StoreHealth::full) detail = "the disk is full: changes are refused, stops go on";
  if (health == StoreHealth::failed) detail = "the database does not take writes; stops go on";
  if (!listening) detail = "agents cannot connect";
  return json_response(ready ? 200 : 503, {{"ready", ready},
                                           {"store", health == StoreHealth::ok     ? "ok"
                                                     : health == StoreHealth::full ? "full"
                                                                                   : "failed"},
                                           {"agents_listening", listening},
                                           {"detail", detail}});
}

Response Api::fleet(const Request& request) {
  auto logs = parts_.store.logs();
  if (!logs) return store_problem(request, logs.error(), parts_.store.health());
  auto rows = parts_.store.agents();
  if (!rows) return store_problem(request, rows.error(), parts_.store.health());
  parts_.fleet.put_rows(*rows);
  const bool durable = parts_.durable_means == DurableMeans::stored;
  return json_response(200,
                       {{"generated", wall_text(parts_.clock.wall().time_since_epoch().count())},
                        {"epoch", parts_.store.epoch()},
                        {"summary", parts_.fleet.summary_json()},
                        {"agents", parts_.fleet.agents_json(*logs, durable)},
                        {"printers", parts_.fleet.printers_json()}});
}

Response Api::printers(const Request&) {
  return json_response(200, {{"printers", parts_.fleet.printers_json()}});
}

Response Api::printer(const Request& request) {
  const auto found = parts_.fleet.find(request.arguments.at(0));
  if (found.empty())
    return problem(request, 404, "not_found", "no agent has shown a printer of this name",
                   "list them with GET /api/v1/printers");
  if (found.size() > 1)
    return problem(request, 409, "ambiguous", "several agents have a printer of this name",
                   "write agent:name");
  return json_response(200, parts_.fleet.printer_json(found.front()));
}

Response Api::agents(const Request& request) {
  auto logs = parts_.store.logs();
  if (!logs) return store_problem(request, logs.error(), parts_.store.health());
  auto rows = parts_.store.agents();
  if (!rows) return store_problem(request, rows.error(), parts_.store.health());
  parts_.fleet.put_rows(*rows);
  const bool durable = parts_.durable_means == DurableMeans::stored;
  return json_response(200, {{"agents", parts_.fleet.agents_json(*logs, durable)}});
}

namespace {

/// The filters that pages and streams share.
EventQuery event_filters(Query& query) {
  EventQuery out;
  out.printer = query.text("printer");
  out.agent = query.text("agent");
  out.severity = query.text("severity");
  const std::size_t colon = out.printer.find(':');
  if (colon != std::string::npos) {
    out.agent = out.printer.substr(0, colon);
    out.printer = out.printer.substr(colon + 1);
  }
  if (!out.printer.empty() && !is_name(out.printer)) query.wrong("printer", "is not a name");
  if (!out.agent.empty() && !is_name(out.agent)) query.wrong("agent", "is not a name");
  if (!out.severity.empty() && out.severity != "info" && out.severity != "warning" &&
      out.severity != "alarm")
    query.wrong("severity", "must be info, warning or alarm");
  return out;
}

}  // namespace

Response Api::events(const Request& request) {
  Query query(request);
  EventQuery want = event_filters(query);
  const auto after = query.integer("after", 0, INT64_MAX / 16);
  const auto limit = query.integer("limit", 1, 500);
  const auto latest = query.integer("latest", 1, 500);
  if (latest && (after || limit)) query.wrong("latest", "stands alone, without after and limit");
  if (auto wrong = query.problems(); !wrong.empty()) return field_problem(request, wrong);
  want.after = after.value_or(0);
  want.newest = latest.has_value();
  want.limit = static_cast<std::size_t>(latest ? *latest : limit.value_or(100));
  const std::int64_t last = parts_.store.newest_event();
  auto page = parts_.store.events(want);
  if (!page) return store_problem(request, page.error(), parts_.store.health());
  json list = json::array();
  for (const EventRow& row : *page) list.push_back(event_json(row));
  const std::int64_t next =
      page->empty() ? std::max(want.after, want.newest ? last : want.after) : page->back().id;
  return json_response(
      200, {{"events", std::move(list)}, {"next", next}, {"last", std::max(last, next)}});
}

Response Api::event_stream(const Request& request) {
  Query query(request);
  EventQuery want = event_filters(query);
  auto after = query.integer("after", 0, INT64_MAX / 16);
  if (!request.last_event_id.empty()) {
    const auto resume = parse_integer(request.last_event_id);
    if (!resume) query.wrong("Last-Event-ID", "must be a whole number");
    after = resume;
  }
  if (auto wrong = query.problems(); !wrong.empty()) return field_problem(request, wrong);
  want.after = after.value_or(parts_.store.newest_event());
  Response out;
  out.content_type = "text/event-stream";
  out.stream = std::make_unique<EventStream>(parts_.store, parts_.tokens,
                                             request.principal.token_id, std::move(want));
  return out;
}

Response Api::audit_verify(const Request& request) {
  auto verdict = parts_.store.verify_audit();
  if (!verdict) return store_problem(request, verdict.error(), parts_.store.health());
  const json none;
  return json_response(
      200, {{"total", verdict->total},
            {"valid", verdict->valid},
            {"invalid", verdict->invalid},
            {"first_invalid", verdict->first_invalid ? json(*verdict->first_invalid) : none},
            {"head", verdict->total > 0 ? json(to_hex(verdict->head)) : none},
            {"root", to_hex(verdict->root)},
            {"detail", verdict->detail.empty() ? none : json(verdict->detail)}});
}

Response Api::audit_records(const Request& request) {
  Query query(request);
  const auto after = query.integer("after", 0, INT64_MAX / 16);
  const auto limit = query.integer("limit", 1, 500);
  if (auto wrong = query.problems(); !wrong.empty()) return field_problem(request, wrong);
  auto records = parts_.store.audit_records(static_cast<std::uint64_t>(after.value_or(0)),
                                            static_cast<std::uint64_t>(limit.value_or(100)));
  if (!records) return store_problem(request, records.error(), parts_.store.health());
  json list = json::array();
  for (const AuditRecord& record : *records) {
    auto shown = audit_record_json(record);
    if (!shown) return store_problem(request, shown.error(), parts_.store.health());
    list.push_back(std::move(*shown));
  }
  const std::uint64_t next =
      records->empty() ? static_cast<std::uint64_t>(after.value_or(0)) : records->back().index;
  return json_response(200, {{"records", std::move(list)}, {"next", next}});
}

}  // namespace firebreak::coordinator
