#include <fmt/core.h>

#include "coordinator/api/api.h"

namespace firebreak::coordinator {

using nlohmann::json;

namespace {

/// Writes Prometheus' text format. Label values are names and states that were checked or escaped.
class Metrics {
 public:
  void family(const char* name, const char* type, const char* help) {
    name_ = name;
    text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
  }
  void sample(const std::string& labels, const json& value) {
    if (value.is_boolean()) return sample(labels, json(value.get<bool>() ? 1 : 0));
    if (!value.is_number()) return;  // Unknown is no sample, never 0.
    text_ += labels.empty() ? fmt::format("{} {}\n", name_, value.dump())
                            : fmt::format("{}{{{}}} {}\n", name_, labels, value.dump());
  }
  std::string take() { return std::move(text_); }
  void append(const std::string& lines) { text_ += lines; }

 private:
  std::string name_;
  std::string text_;
};

std::string quoted(const json& value) {
  std::string out;
  for (const char c : value.is_string() ? value.get<std::string>() : std::string())
    out += c == '"' ? "\\\"" : c == '\\' ? "\\\\" : c == '\n' ? "\\n" : std::string(1, c);
  return out;
}

std::string printer_label(const json& p) {
  return fmt::format("agent=\"{}\",printer=\"{}\"", quoted(p["agent"]), quoted(p["name"]));
}

json seconds(const json& ms) { return ms.is_number() ? json(ms.get<double>() / 1000.0) : json(); }

void write_heaters(Metrics& m, const json& printers) {
  const auto each = [&](const char* key, auto&& value) {
    for (const json& p : printers)
      for (const json& h : p["heaters"])
        m.sample(printer_label(p) + ",heater=\"" + quoted(h["name"]) + "\"", value(h[key]));
  };
  const auto same = [](const json& v) { return v; };
  m.family("firebreak_heater_temperature_celsius", "gauge", "Last reading; absent when unknown.");
  each("celsius", same);
  m.family("firebreak_heater_target_celsius", "gauge", "Target; absent when unknown.");
  each("target", same);
  m.family("firebreak_heater_duty_ratio", "gauge", "Duty as the firmware reports it.");
  each("duty", same);
  m.family("firebreak_reading_age_seconds", "gauge", "Age of the reading.");
  each("age_ms", seconds);
}

void write_states(Metrics& m, const json& printers) {
  m.family("firebreak_printer_state", "gauge", "1 for the state that the printer is in.");
  for (const json& p : printers)
    for (const char* state : {"boot", "watch", "armed", "stopping", "cutting", "not_cut", "tripped",
                              "probation", "parked", "unknown"})
      m.sample(printer_label(p) + ",state=\"" + state + "\"", json(p["state"] == state ? 1 : 0));
  m.family("firebreak_printer_independent_stop", "gauge",
           "1 when some hardware opens its power by itself.");
  for (const json& p : printers) m.sample(printer_label(p), p["independent_stop"]);
  m.family("firebreak_printer_telemetry_age_seconds", "gauge", "Age of its agent's telemetry.");
  for (const json& p : printers) m.sample(printer_label(p), seconds(p["age_ms"]));
}

void write_agents(Metrics& m, const json& list) {
  m.family("firebreak_agent_connected", "gauge", "1 while the agent's session is up.");
  for (const json& a : list) m.sample("agent=\"" + quoted(a["name"]) + "\"", a["connected"]);
  m.family("firebreak_relay_closed", "gauge", "1 closed, 0 open, by its feedback contact.");
  for (const json& a : list)
    for (const json& r : a["relays"]) {
      if (!r.is_object() || !r.contains("feedback") || !r.contains("name")) continue;
      const json& f = r["feedback"];
      if (f == "open" || f == "closed")
        m.sample("agent=\"" + quoted(a["name"]) + "\",relay=\"" + quoted(r["name"]) + "\"",
                 json(f == "closed" ? 1 : 0));
    }
}

}  // namespace

Response Api::metrics(const Request&) {
  Metrics m;
  const json printers = parts_.fleet.printers_json();
  m.family("firebreak_build_info", "gauge", "The program's version.");
  m.sample("version=\"" FIREBREAK_VERSION "\"", 1);
  write_heaters(m, printers);
  write_states(m, printers);
  write_agents(m, parts_.fleet.agents_json({}, false));
  m.family("firebreak_store_ok", "gauge", "1 while the database takes writes.");
  m.sample("", json(parts_.store.health() == StoreHealth::ok ? 1 : 0));
  m.family("firebreak_event_last_id", "gauge", "Newest event in the store.");
  m.sample("", parts_.store.newest_event());
  m.family("firebreak_epoch", "gauge", "Epoch of the coordinator's commands.");
  m.sample("", parts_.store.epoch());
  m.family("firebreak_http_requests_total", "counter", "Whole requests that were answered.");
  m.sample("", served_.load());
  m.family("firebreak_http_refused_total", "counter", "Requests that were turned away.");
  m.sample("", refused_.load());
  m.family("firebreak_wrong_tokens_total", "counter", "Wrong or revoked tokens.");
  m.sample("", wrong_tokens_.load());
  m.family("firebreak_estop_total", "counter", "Stops that were sent from here.");
  m.sample("source=\"api\"", stops_.load());
  if (parts_.more_metrics) m.append(parts_.more_metrics());
  Response out;
  out.content_type = "text/plain; version=0.0.4; charset=utf-8";
  out.body = m.take();
  return out;
}

}  // namespace firebreak::coordinator
