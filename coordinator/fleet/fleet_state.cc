#include "coordinator/fleet/fleet_state.h"

#include <algorithm>

#include "common/base/escape.h"
#include "common/log/log.h"
#include "coordinator/fleet/status_view.h"

namespace firebreak::coordinator {

using nlohmann::json;

namespace {

constexpr std::size_t printers_per_agent_max = 256;

/// The names of the printers in a status; odd ones are left out.
std::vector<std::string> printer_names(const json& status) {
  std::vector<std::string> out;
  const json list = view::array(status, "printers");
  for (const json& printer : list) {
    const std::string name = view::text_or_empty(printer, "name");
    if (is_printer_name(name) && out.size() < printers_per_agent_max) out.push_back(name);
  }
  return out;
}

}  // namespace

bool is_printer_name(std::string_view text) {
  if (text.empty() || text.size() > 32 || text.front() == '-') return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

Result<void> FleetState::load() {
  auto agents = store_.agents();
  if (!agents) return fail(agents.error());
  auto printers = store_.printers();
  if (!printers) return fail(printers.error());
  const std::lock_guard lock(mutex_);
  for (const AgentRow& row : *agents) {
    Live& live = agents_[row.name];
    live.row = row;
    live.registered = true;
    live.software = row.software;
    live.last_seen_ms = row.last_seen_ms;
  }
  for (const PrinterRow& row : *printers) agents_[row.agent].printers.insert(row.name);
  return {};
}

void FleetState::on_command_update(std::function<void(const CommandUpdate&)> listener) {
  command_listener_ = std::move(listener);
}

void FleetState::on_seen_stopped(std::function<void(const PrinterKey&)> listener) {
  stopped_listener_ = std::move(listener);
}

void FleetState::set_missed(const PrinterKey& printer, std::optional<MissedStop> stop) {
  const std::lock_guard lock(mutex_);
  auto& missed = agents_[printer.agent].missed;
  if (stop)
    missed.insert_or_assign(printer.name, std::move(*stop));
  else
    missed.erase(printer.name);
}

void FleetState::put_rows(const std::vector<AgentRow>& rows) {
  const std::lock_guard lock(mutex_);
  for (const AgentRow& row : rows) agents_[row.name].row = row;
}

void FleetState::revoke(const std::string& agent, std::int64_t at_ms) {
  const std::lock_guard lock(mutex_);
  const auto found = agents_.find(agent);
  if (found != agents_.end()) found->second.row.revoked_ms = at_ms;
}

void FleetState::agent_connected(std::string_view agent, const json& hello,
                                 std::string_view address) {
  const std::string name(agent);
  const std::string software = escape_untrusted(view::text_or_empty(hello, "software"), 64);
  std::map<std::string, MissedStop> missed;
  {
    const std::lock_guard lock(mutex_);
    Live& live = agents_[name];
    live.connected = true;
    live.registered = true;
    live.row.revoked_ms.reset();  // The hub lets nobody in who is revoked.
    live.address = std::string(address);
    live.software = software;
    live.knows_roots = view::boolean(hello, "knows_roots") != false;
    live.of_old_root = view::boolean(hello, "of_old_root") == true;
    live.last_seen_ms = clock_.wall().time_since_epoch().count();
    // What an earlier session told is not this session's word.
    live.status.reset();
    missed = live.missed;
  }
  log::info("agent {} is connected from {}", name, address);
  store_.note_agent(name, software,
                    {"agent.connect",
                     "info",
                     name,
                     "",
                     "agent " + name + " is connected",
                     {{"address", std::string(address)}}});
  tell_missed(name, missed);
}

/// An agent that is back must not look as if nothing had been asked of it.
void FleetState::tell_missed(const std::string& agent,
                             const std::map<std::string, MissedStop>& missed) {
  for (const auto& [printer, stop] : missed) {
    const std::string text = "agent " + agent + " is back; " + printer + " " +
                             view::missed_text(stop) + ": stop it now, or look at it";
    log::error("{}", text);
    const json data{{"operation", stop.operation}, {"asked_by", stop.who}};
    store_.record({"coordinator", "stop.missed", agent + ":" + printer, data},
                  {"stop.missed", "alarm", agent, printer, text, data});
  }
}

void FleetState::agent_disconnected(std::string_view agent, std::string_view reason) {
  const std::string name(agent);
  {
    const std::lock_guard lock(mutex_);
    Live& live = agents_[name];
    live.connected = false;
    live.last_seen_ms = clock_.wall().time_since_epoch().count();
  }
  log::warning("agent {} is gone: {}", name, reason);
  const std::string why = escape_untrusted(reason);
  store_.note_agent(name, "",
                    {"agent.disconnect",
                     "warning",
                     name,
                     "",
                     "agent " + name + " is gone; its printers' state is unknown here: " + why,
                     {{"reason", why}}});
}

void FleetState::telemetry(std::string_view agent, const json& status) {
  const std::string name(agent);
  auto copy = std::make_shared<const json>(status);
  std::vector<std::string> added;
  std::vector<PrinterKey> stopped;
  {
    const std::lock_guard lock(mutex_);
    Live& live = agents_[name];
    live.status = std::move(copy);
    live.received = clock_.now();
    live.last_seen_ms = clock_.wall().time_since_epoch().count();
    for (const std::string& printer : printer_names(*live.status)) {
      if (live.printers.size() >= printers_per_agent_max) break;
      if (live.printers.insert(printer).second) added.push_back(printer);
    }
    for (const auto& [printer, stop] : live.missed)
      if (view::tells_stopped(*live.status, printer)) stopped.push_back({name, printer});
  }
  for (const PrinterKey& printer : stopped)
    if (stopped_listener_) stopped_listener_(printer);
  if (!added.empty()) store_.note_printers(name, std::move(added));
}

void FleetState::command_update(const CommandUpdate& update) {
  if (command_listener_) command_listener_(update);
}

void FleetState::renewal_waits(std::string_view agent, bool waits) {
  const std::lock_guard lock(mutex_);
  agents_[std::string(agent)].renewal_waits = waits;
}

void FleetState::security_event(std::string_view agent, std::string_view kind,
                                std::string_view text) {
  const std::string what = escape_untrusted(text);
  log::warning("security: {}: {}: {}", kind, agent.empty() ? "unknown peer" : agent, what);
  {
    // Strangers must not fill the disk with their refusals: one a second on average.
    const std::lock_guard lock(mutex_);
    const MonotonicTime now = clock_.now();
    const double passed = std::chrono::duration<double>(now - security_budget_at_).count();
    security_budget_ = std::min(60.0, security_budget_ + passed);
    security_budget_at_ = now;
    if (security_budget_ < 1) return;
    security_budget_ -= 1;
  }
  const std::string name(agent);
  store_.record({name.empty() ? "unknown" : "agent:" + name,
                 "security." + std::string(kind),
                 name,
                 {{"text", what}}},
                {"security", "warning", name, "", what, {{"kind", std::string(kind)}}});
}

std::vector<PrinterKey> FleetState::find(std::string_view text) const {
  const std::size_t colon = text.find(':');
  const std::string_view agent = colon == text.npos ? "" : text.substr(0, colon);
  const std::string printer(colon == text.npos ? text : text.substr(colon + 1));
  std::vector<PrinterKey> out;
  const std::lock_guard lock(mutex_);
  for (const auto& [name, live] : agents_)
    if ((agent.empty() || agent == name) && live.printers.contains(printer))
      out.push_back({name, printer});
  return out;
}

std::vector<PrinterKey> FleetState::printers_of(const std::string& agent) const {
  std::vector<PrinterKey> out;
  const std::lock_guard lock(mutex_);
  const auto found = agents_.find(agent);
  if (found == agents_.end()) return out;
  for (const std::string& printer : found->second.printers) out.push_back({agent, printer});
  return out;
}

std::vector<std::string> FleetState::agents() const {
  std::vector<std::string> out;
  const std::lock_guard lock(mutex_);
  for (const auto& [name, live] : agents_) out.push_back(name);
  return out;
}

bool FleetState::revoked(const std::string& agent) const {
  const std::lock_guard lock(mutex_);
  const auto found = agents_.find(agent);
  return found != agents_.end() && found->second.row.revoked_ms.has_value();
}

bool FleetState::knows_agent(const std::string& agent) const {
  const std::lock_guard lock(mutex_);
  return agents_.contains(agent);
}

bool FleetState::connected(const std::string& agent) const {
  const std::lock_guard lock(mutex_);
  const auto found = agents_.find(agent);
  return found != agents_.end() && found->second.connected;
}

}  // namespace firebreak::coordinator
