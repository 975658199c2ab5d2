#include "coordinator/fleet/status_view.h"

#include <algorithm>
#include <array>

#include "common/base/escape.h"
#include "coordinator/fleet/fleet_state.h"
#include "coordinator/store/wall_text.h"

namespace firebreak::coordinator::view {
namespace {

constexpr std::array<std::string_view, 9> states{
    "boot", "watch", "armed", "stopping", "cutting", "not_cut", "tripped", "probation", "parked"};

bool is_state(const std::string& text) {
  return std::find(states.begin(), states.end(), text) != states.end();
}

json heater(const json& source, bool fresh, std::int64_t since_ms) {
  const json age = aged(source, "age_ms", since_ms);
  const bool recent = age.is_number() && age.get<std::int64_t>() <= reading_fresh.count();
  const json trusted = boolean(source, "trusted");
  return {{"name", text(source, "name")},
          {"celsius", recent ? number(source, "celsius") : json()},
          {"target", recent ? number(source, "target") : json()},
          {"duty", recent ? number(source, "duty") : json()},
          {"age_ms", age},
          {"limit_celsius", number(source, "limit_celsius")},
          {"trusted", fresh && recent && trusted == true},
          {"covered", boolean(source, "covered") == true}};
}

json link(const json& source, bool fresh, std::int64_t since_ms) {
  const json state = text(source, "state");
  return {{"state", fresh && state.is_string() ? state : json("unknown")},
          {"port", text(source, "port")},
          {"age_ms", aged(source, "age_ms", since_ms)}};
}

/// One sentence when a person should look; the worst first.
json attention(const json& printer) {
  const std::string state = printer["state"];
  const std::string outcome = printer["outcome"];
  if (state == "not_cut") return "the power was NOT cut: pull the plug";
  if (!printer["missed_stop"].is_null())
    return printer["missed_stop"]["text"].get<std::string>() + ": stop it now, or look at it";
  if (state == "unknown") return "nothing is known of it now: its agent does not report";
  if (state == "parked") return "the guard is parked and needs a person at the machine";
  if ((state == "tripped" || state == "stopping" || state == "cutting") && outcome != "proven")
    return outcome == "sent" ? "stopped, but not proven: pull the power"
                             : "the stop is not confirmed: pull the power";
  if (state == "tripped") return "stopped; waits for a reset";
  if (state == "probation") return "in probation; waits for a release";
  const std::string link_state = printer["link"]["state"];
  if (link_state != "ready") return "its serial link is " + link_state;
  for (const json& heater : printer["heaters"])
    if (heater["trusted"] != true) return "a temperature is not trusted";
  if (printer["independent_stop"] != true) return "it has no independent stop";
  return {};
}

}  // namespace

std::string missed_text(const MissedStop& missed) {
  const std::string stop = "stop " + missed.operation + " of " + wall_text(missed.asked_ms);
  return missed.ever_sent ? "was sent " + stop + ", whose end is not known"
                          : "was NOT stopped by " + stop;
}

bool tells_stopped(const json& status, const std::string& printer) {
  const json* list = find(status, "printers");
  if (list == nullptr || !list->is_array()) return false;
  return std::any_of(list->begin(), list->end(), [&](const json& one) {
    const std::string state = text_or_empty(one, "state");
    return text_or_empty(one, "name") == printer && (state == "tripped" || state == "parked");
  });
}

json text(const json& object, const char* key) {
  const json* value = find(object, key);
  if (value == nullptr || !value->is_string()) return {};
  return escape_untrusted(value->get_ref<const std::string&>());
}

json number(const json& object, const char* key) {
  const json* value = find(object, key);
  return value != nullptr && value->is_number() ? *value : json();
}

json whole(const json& object, const char* key) {
  const json* value = find(object, key);
  return value != nullptr && value->is_number_integer() ? *value : json();
}

json boolean(const json& object, const char* key) {
  const json* value = find(object, key);
  return value != nullptr && value->is_boolean() ? *value : json();
}

json array(const json& object, const char* key) {
  const json* value = find(object, key);
  return value != nullptr && value->is_array() ? *value : json::array();
}

json object(const json& object, const char* key) {
  const json* value = find(object, key);
  return value != nullptr && value->is_object() ? *value : json();
}

json texts(const json& object, const char* key) {
  json out = json::array();
  const json* list = find(object, key);
  if (list == nullptr || !list->is_array()) return out;
  for (const json& one : *list)
    if (one.is_string() && out.size() < 64)
      out.push_back(escape_untrusted(one.get_ref<const std::string&>()));
  return out;
}

json aged(const json& object, const char* key, std::int64_t since_ms) {
  const json age = whole(object, key);
  if (!age.is_number_integer() ||
      (age.is_number_unsigned() && age.get<std::uint64_t>() > 1ULL << 60))
    return {};
  return std::max<std::int64_t>(age.get<std::int64_t>(), 0) + since_ms;
}

json printer(const std::string& agent, const std::string& name, const json* told, bool connected,
             bool fresh, std::optional<std::int64_t> age_ms,
             std::optional<std::int64_t> last_seen_ms, const MissedStop* missed) {
  static const json nothing = json::object();
  const json& p = told != nullptr ? *told : nothing;
  const std::int64_t since = age_ms.value_or(0);
  const std::string told_state = text_or_empty(p, "state");
  const bool known = told != nullptr && is_state(told_state);
  const bool present = fresh && connected && known;
  const std::string outcome = text_or_empty(p, "outcome");
  json heaters = json::array();
  const json* list = find(p, "heaters");
  if (list != nullptr && list->is_array())
    for (const json& one : *list)
      if (heaters.size() < 16) heaters.push_back(heater(one, present, since));
  const json link_of = find(p, "link") != nullptr ? *find(p, "link") : nothing;
  const json identity = find(p, "identity") != nullptr ? *find(p, "identity") : nothing;
  json out{{"name", name},
           {"agent", agent},
           {"state", present ? told_state : "unknown"},
           {"reported_state", known ? json(told_state) : json()},
           {"connected", connected && fresh},
           {"age_ms", age_ms ? json(*age_ms) : json()},
           {"last_seen", last_seen_ms ? json(wall_text(*last_seen_ms)) : json()},
           {"outcome", present && !outcome.empty() ? escape_untrusted(outcome) : "unknown"},
           {"latch_number", whole(p, "latch_number")},
           {"causes", texts(p, "causes")},
           {"first_cause", text(p, "first_cause")},
           {"no_new_heat", texts(p, "no_new_heat")},
           {"relay", text(p, "relay")},
           {"independent_stop", boolean(p, "independent_stop") == true},
           {"link", link(link_of, present, since)},
           {"identity",
            {{"firmware", text(identity, "firmware")},
             {"machine", text(identity, "machine")},
             {"uuid", text(identity, "uuid")}}},
           {"heaters", std::move(heaters)},
           {"printing", present ? boolean(p, "printing") : json()},
           {"host_attached", present ? boolean(p, "host_attached") : json()},
           {"pty", text(p, "pty")},
           {"probation", present ? object(p, "probation") : json()},
           {"last_pass", object(p, "last_pass")},
           {"missed_stop", nullptr}};
  if (missed != nullptr)
    out["missed_stop"] = {{"operation", missed->operation},
                          {"asked", wall_text(missed->asked_ms)},
                          {"who", missed->who},
                          {"ever_sent", missed->ever_sent},
                          {"text", missed_text(*missed)}};
  out["attention"] = attention(out);
  return out;
}

}  // namespace firebreak::coordinator::view
