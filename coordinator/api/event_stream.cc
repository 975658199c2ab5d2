#include "coordinator/api/event_stream.h"

#include "common/base/escape.h"
#include "coordinator/fleet/status_view.h"
#include "coordinator/store/wall_text.h"

namespace firebreak::coordinator {

using nlohmann::json;

json event_json(const EventRow& row) {
  const json nothing = json::object();
  const json& body = row.body.is_object() ? row.body : nothing;
  const bool own = row.agent.empty();
  const std::string severity = view::text_or_empty(body, "severity");
  const bool known = severity == "info" || severity == "warning";
  return {{"id", row.id},
          {"agent", own ? view::text(body, "about") : json(row.agent)},
          {"received", wall_text(row.received_ms)},
          {"log", view::text(body, "log")},
          {"seq", view::whole(body, "seq")},
          {"boot", view::text(body, "boot")},
          {"mono_ms", view::whole(body, "mono_ms")},
          {"wall", view::text(body, "wall")},
          {"kind",
           view::text_or_empty(body, "kind").empty() ? json("unknown") : view::text(body, "kind")},
          {"severity", known ? severity : "alarm"},
          {"printer", view::text(body, "printer")},
          {"text", escape_untrusted(view::text_or_empty(body, "text"), 1000)},
          {"data", view::find(body, "data") != nullptr && view::find(body, "data")->is_object()
                       ? *view::find(body, "data")
                       : nothing},
          {"hash", view::text(body, "hash")},
          {"chain_ok", row.chain_ok}};
}

StreamChunk EventStream::next() {
  StreamChunk chunk;
  if (!tokens_.usable(token_id_, false)) {
    chunk.bytes = "event: end\ndata: {\"reason\":\"the token is no longer valid\"}\n\n";
    chunk.end = true;
    return chunk;
  }
  if (store_.newest_event() <= want_.after) return chunk;
  auto page = store_.events(want_);
  if (!page) {
    // The client comes back with Last-Event-ID; nothing is skipped.
    chunk.end = true;
    return chunk;
  }
  for (const EventRow& row : *page) {
    chunk.bytes += "id: " + std::to_string(row.id) + "\nevent: event\ndata: " +
                   event_json(row).dump(-1, ' ', false, json::error_handler_t::replace) + "\n\n";
    want_.after = row.id;
  }
  return chunk;
}

}  // namespace firebreak::coordinator
