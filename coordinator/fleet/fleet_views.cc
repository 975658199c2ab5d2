#include "common/base/escape.h"
#include "coordinator/fleet/fleet_state.h"
#include "coordinator/fleet/status_view.h"
#include "coordinator/store/wall_text.h"

namespace firebreak::coordinator {

using nlohmann::json;

std::optional<std::int64_t> FleetState::age_ms(const Live& live) const {
  if (!live.status) return std::nullopt;
  return std::chrono::duration_cast<std::chrono::milliseconds>(clock_.now() - live.received)
      .count();
}

bool FleetState::fresh(const Live& live) const {
  const auto age = age_ms(live);
  return live.connected && age && *age <= telemetry_fresh.count();
}

json FleetState::printer_json(const std::string& agent, const Live& live,
                              const std::string& name) const {
  const json* told = nullptr;
  if (live.status) {
    const json* list = view::find(*live.status, "printers");
    if (list != nullptr && list->is_array())
      for (const json& one : *list)
        if (view::text_or_empty(one, "name") == name) told = &one;
  }
  const auto missed = live.missed.find(name);
  return view::printer(agent, name, told, live.connected, fresh(live), age_ms(live),
                       live.last_seen_ms, missed == live.missed.end() ? nullptr : &missed->second);
}

json FleetState::printer_json(const PrinterKey& key) const {
  const std::lock_guard lock(mutex_);
  const auto found = agents_.find(key.agent);
  if (found == agents_.end()) return {};
  return printer_json(key.agent, found->second, key.name);
}

json FleetState::printers_json() const {
  json out = json::array();
  const std::lock_guard lock(mutex_);
  for (const auto& [agent, live] : agents_)
    for (const std::string& name : live.printers) out.push_back(printer_json(agent, live, name));
  return out;
}

json FleetState::agent_json(const std::string& name, const Live& live) const {
  static const json nothing = json::object();
  const json& status = live.status ? *live.status : nothing;
  const auto age = age_ms(live);
  const AgentRow& row = live.row;
  json printers = json::array();
  for (const std::string& printer : live.printers) printers.push_back(printer);
  return {{"name", name},
          {"connected", live.connected},
          {"revoked", row.revoked_ms.has_value()},
          {"renewal_waits", live.renewal_waits},
          {"knows_roots", live.knows_roots},
          {"of_old_root", live.of_old_root},
          {"enrolled", row.enrolled_ms > 0 ? json(wall_text(row.enrolled_ms)) : json()},
          {"last_seen", live.last_seen_ms ? json(wall_text(*live.last_seen_ms)) : json()},
          {"age_ms", age ? json(*age) : json()},
          {"software", live.software.empty() ? json() : json(live.software)},
          {"boot", view::text(status, "boot")},
          {"uptime_ms", view::whole(status, "uptime_ms")},
          {"certificate", row.certificate.empty() ? json() : json(row.certificate)},
          {"certificate_expires",
           row.certificate_expires_ms > 0 ? json(wall_text(row.certificate_expires_ms)) : json()},
          {"host", fresh(live) ? view::object(status, "host") : json()},
          {"relays", fresh(live) ? view::array(status, "relays") : json::array()},
          {"alarm", fresh(live) ? view::boolean(status, "alarm") : json()},
          {"store", fresh(live) ? view::object(status, "store") : json()},
          {"warnings", view::texts(status, "warnings")},
          {"logs", json::array()},
          {"printers", std::move(printers)}};
}

json FleetState::agents_json(const std::vector<LogRow>& logs, bool stored_is_durable) const {
  json out = json::array();
  const std::lock_guard lock(mutex_);
  for (const auto& [name, live] : agents_) {
    json agent = agent_json(name, live);
    for (const LogRow& log : logs)
      if (log.agent == name)
        agent["logs"].push_back({{"log", log.log},
                                 {"stored", log.stored},
                                 {"durable", stored_is_durable ? log.stored : 0},
                                 {"chain_ok", log.chain_ok}});
    out.push_back(std::move(agent));
  }
  return out;
}

json FleetState::summary_json() const {
  const json printers = printers_json();
  std::size_t unknown = 0, latched = 0, attention = 0;
  for (const json& printer : printers) {
    const std::string state = printer["state"];
    if (state == "unknown") ++unknown;
    if (state == "tripped" || state == "stopping" || state == "cutting" || state == "not_cut" ||
        state == "parked")
      ++latched;
    if (!printer["attention"].is_null()) ++attention;
  }
  std::size_t connected = 0;
  const std::lock_guard lock(mutex_);
  for (const auto& [name, live] : agents_)
    if (live.connected) ++connected;
  return {{"agents", agents_.size()},    {"agents_connected", connected},
          {"printers", printers.size()}, {"printers_unknown", unknown},
          {"printers_latched", latched}, {"printers_attention", attention}};
}

}  // namespace firebreak::coordinator
