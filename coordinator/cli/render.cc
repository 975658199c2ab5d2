#include "coordinator/cli/render.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "coordinator/cli/json_access.h"

namespace firebreak::cli {
namespace {

using nlohmann::json;

// The guard warns of blindness at 5 s (docs/safety.md): an older reading is not shown as one.
constexpr std::int64_t reading_age_max_ms = 5000;

std::string degrees(std::optional<double> value) {
  return value ? fmt::format("{:.1f}", *value) : "?";
}

std::string target(std::optional<double> value) {
  return value ? fmt::format("{:.0f}", *value) : "?";
}

std::string latch_text(const json& printer) {
  const auto number = whole_of(printer, "latch_number");
  const bool latched = !list_of(printer, "causes").empty();
  return number && latched ? std::to_string(*number) : "-";
}

std::string cause_text(const json& printer) {
  const auto first = text_of(printer, "first_cause");
  const auto all = joined(list_of(printer, "causes"));
  if (first.empty()) return all.empty() ? "-" : all;
  const auto count = list_of(printer, "causes").size();
  return count > 1 ? fmt::format("{} (+{})", first, count - 1) : first;
}

std::string link_text(const json& printer) {
  const auto& link = field(printer, "link");
  const auto state = text_of(link, "state");
  const auto age = whole_of(link, "age_ms");
  if (state.empty()) return "?";
  return age && *age > reading_age_max_ms ? state + " (" + age_text(age) + ")" : state;
}

// A day of the host's clock, for people: "2026-11-21".
std::string day_text(std::optional<std::int64_t> wall_ms) {
  if (!wall_ms) return "?";
  const std::chrono::sys_time<std::chrono::milliseconds> at{std::chrono::milliseconds{*wall_ms}};
  const std::chrono::year_month_day day{std::chrono::floor<std::chrono::days>(at)};
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(day.year()),
                     static_cast<unsigned>(day.month()), static_cast<unsigned>(day.day()));
}

// One word for all heaters of a printer; nothing where all are commissioned, or nobody says.
std::string models_note(const json& printer) {
  bool open = false;
  for (const auto& model : list_of(printer, "models")) {
    const auto state = text_of(model, "state");
    if (state == "asks_again") return "asks to be commissioned again";
    open = open || state == "uncommissioned";
  }
  return open ? "not commissioned" : "";
}

std::string notes_text(const json& printer) {
  std::string notes = text_of(printer, "attention");
  const auto add = [&](const std::string& note) {
    if (!note.empty()) notes += (notes.empty() ? "" : "; ") + note;
  };
  if (field(printer, "connected").is_boolean() && !flag_of(printer, "connected")) {
    add("agent last heard " + age_text(whole_of(printer, "age_ms")) + " ago");
  }
  if (const auto reasons = joined(list_of(printer, "no_new_heat")); !reasons.empty()) {
    add("no new heat: " + reasons);
  }
  const auto& probation = field(printer, "probation");
  if (const auto phase = text_of(probation, "phase"); !phase.empty()) {
    add("probation: " + phase);
  }
  if (const auto left = whole_of(probation, "confirm_in_ms")) {
    add(fmt::format("look at it, then `firebreak local confirm` within {} s", *left / 1000));
  }
  if (flag_of(printer, "blind")) add("BLIND");
  if (!flag_of(printer, "independent_stop")) add("no independent stop");
  if (flag_of(printer, "printing")) add("printing");
  if (flag_of(printer, "commissioning")) add("being commissioned");
  if (const auto models = models_note(printer); !models.empty()) add(models);
  return notes.empty() ? "-" : notes;
}

std::string model_text(const json& model) {
  const auto state = text_of(model, "state");
  if (state == "uncommissioned") return "not commissioned: wide limits protect it";
  std::string text = state == "asks_again" ? "ASKS AGAIN: " + text_of(model, "why") + "; " : "";
  text += fmt::format("learned {}, residual {:.1f} %", day_text(whole_of(model, "learned_ms")),
                      100 * number_of(model, "residual").value_or(0));
  return text + (flag_of(model, "in_use") ? ", in use" : ", NOT in use: wide limits");
}

std::string state_of(const json& printer) {
  const auto state = text_of(printer, "state");
  return state.empty() ? "unknown" : state;
}

Tone tone_of_outcome(const std::string& outcome) {
  if (outcome == "proven") return Tone::good;
  return outcome == "sent" || outcome == "not_sent" ? Tone::alarm : Tone::plain;
}

std::string or_unknown(std::string text) { return text.empty() ? "?" : text; }

}  // namespace

std::string joined(const json& list) {
  std::string text;
  for (const auto& item : list) {
    if (!item.is_string()) continue;
    text += (text.empty() ? "" : ", ") + item.get<std::string>();
  }
  return text;
}

Tone tone_of_state(const std::string& state) {
  if (state == "armed") return Tone::good;
  if (state == "watch" || state == "probation" || state == "boot" || state == "unknown") {
    return Tone::warning;
  }
  return Tone::alarm;
}

std::string outcome_text(const std::string& outcome) {
  if (outcome == "proven") return "stopped and proven";
  if (outcome == "sent") return "sent, not proven — pull the power";
  if (outcome == "not_sent") return "not sent — pull the power";
  return outcome == "unknown" ? "?" : "-";
}

std::string heaters_text(const json& printer) {
  std::string text;
  for (const auto& heater : list_of(printer, "heaters")) {
    const auto age = whole_of(heater, "age_ms");
    const bool fresh = age && *age <= reading_age_max_ms && flag_of(heater, "trusted");
    const auto reading = fresh ? degrees(number_of(heater, "celsius")) : "?";
    text += fmt::format("{}{} {}/{}", text.empty() ? "" : " ", text_of(heater, "name"), reading,
                        target(number_of(heater, "target")));
  }
  return or_unknown(text);
}

Table printers_table(const json& printers, bool with_agent) {
  Table table;
  table.header = {"PRINTER", "STATE", "STOP", "LATCH", "CAUSE", "HEATERS", "LINK", "NOTES"};
  if (with_agent) table.header.insert(table.header.begin() + 1, "AGENT");
  for (const auto& printer : printers) {
    const auto state = state_of(printer);
    const auto outcome = text_of(printer, "outcome");
    std::vector<Cell> row{{or_unknown(text_of(printer, "name")), Tone::strong},
                          {state, tone_of_state(state)},
                          {outcome == "none" ? "-" : or_unknown(outcome), tone_of_outcome(outcome)},
                          {latch_text(printer)},
                          {cause_text(printer)},
                          {heaters_text(printer)},
                          {link_text(printer)},
                          {notes_text(printer), Tone::dim}};
    if (with_agent) row.insert(row.begin() + 1, Cell{or_unknown(text_of(printer, "agent"))});
    table.rows.push_back(std::move(row));
  }
  return table;
}

Table printer_facts(const json& printer) {
  Table table;
  table.header = {"FACT", "VALUE"};
  table.cut = false;
  const auto add = [&](const char* name, std::string value, Tone tone = Tone::plain) {
    table.rows.push_back({{name, Tone::dim}, {or_unknown(std::move(value)), tone}});
  };
  const auto state = state_of(printer);
  const auto outcome = text_of(printer, "outcome");
  add("printer", text_of(printer, "name"), Tone::strong);
  if (field(printer, "agent").is_string()) add("agent", text_of(printer, "agent"));
  add("state", state, tone_of_state(state));
  if (field(printer, "age_ms").is_number())
    add("reported", age_text(whole_of(printer, "age_ms")) + " ago");
  add("stop", outcome_text(outcome), tone_of_outcome(outcome));
  add("latch number", latch_text(printer));
  const auto causes = joined(list_of(printer, "causes"));
  add("causes", causes.empty() ? "none" : causes);
  add("first cause", cause_text(printer));
  for (const auto& heater : list_of(printer, "heaters")) {
    const auto name = "heater " + text_of(heater, "name");
    add(name.c_str(),
        fmt::format(
            "{} of {} C, duty {}, limit {} C, read {} ago, {}{}",
            degrees(number_of(heater, "celsius")), target(number_of(heater, "target")),
            degrees(number_of(heater, "duty")), target(number_of(heater, "limit_celsius")),
            age_text(whole_of(heater, "age_ms")),
            flag_of(heater, "trusted") ? "trusted" : "NOT trusted",
            flag_of(heater, "covered") ? ", power cut by the relay" : ", NOT covered by a relay"));
  }
  for (const auto& model : list_of(printer, "models")) {
    const auto name = "model " + text_of(model, "heater");
    const bool good = text_of(model, "state") == "commissioned";
    add(name.c_str(),
        model_text(model) + (flag_of(model, "proposed") ? "; a proposal waits for approval" : ""),
        good ? Tone::plain : Tone::warning);
  }
  const auto relay = text_of(printer, "relay");
  add("relay", relay.empty() ? "none" : relay);
  const bool independent = flag_of(printer, "independent_stop");
  add("independent stop", independent ? "yes" : "no", independent ? Tone::plain : Tone::warning);
  const auto reasons = joined(list_of(printer, "no_new_heat"));
  add("new heat", reasons.empty() ? "allowed" : "refused: " + reasons);
  add("link", link_text(printer));
  add("port", text_of(field(printer, "link"), "port"));
  add("firmware", text_of(field(printer, "identity"), "firmware"));
  add("machine", text_of(field(printer, "identity"), "machine"));
  add("uuid", text_of(field(printer, "identity"), "uuid"));
  add("pty for a host", text_of(printer, "pty"));
  add("notes", notes_text(printer));
  return table;
}

Table agents_table(const json& agents) {
  Table table;
  table.header = {"AGENT", "STATE", "HEARD", "PRINTERS", "SOFTWARE", "NOTES"};
  for (const auto& agent : agents) {
    const bool connected = flag_of(agent, "connected");
    const bool revoked = flag_of(agent, "revoked");
    std::string notes = joined(list_of(agent, "warnings"));
    if (flag_of(agent, "renewal_waits")) {
      notes = "its certificate has ended: firebreak agents approve " + text_of(agent, "name");
    }
    if (flag_of(field(agent, "host"), "latched")) {
      notes = "host latched (" + joined(list_of(field(agent, "host"), "causes")) + ")" +
              (notes.empty() ? "" : "; ") + notes;
    }
    const auto note = [&](const char* text) {
      notes += (notes.empty() ? "" : "; ") + std::string(text);
    };
    if (field(agent, "knows_roots") == false) note("does not know the next CA yet");
    if (flag_of(agent, "of_old_root")) note("its certificate is of the old CA");
    table.rows.push_back({{or_unknown(text_of(agent, "name")), Tone::strong},
                          {revoked     ? "revoked"
                           : connected ? "connected"
                                       : "not connected",
                           revoked || !connected ? Tone::warning : Tone::good},
                          {age_text(whole_of(agent, "age_ms"))},
                          {joined(list_of(agent, "printers"))},
                          {or_unknown(text_of(agent, "software"))},
                          {notes.empty() ? "-" : notes, Tone::dim}});
  }
  return table;
}

std::vector<Cell> event_cells(const json& event) {
  const auto severity = text_of(event, "severity");
  const Tone tone = severity == "alarm"     ? Tone::alarm
                    : severity == "warning" ? Tone::warning
                                            : Tone::plain;
  std::string time = text_of(event, "wall");
  if (time.empty()) time = text_of(event, "received");
  if (time.empty()) {
    const auto uptime = whole_of(event, "mono_ms");
    time = uptime ? fmt::format("up {:.3f} s", static_cast<double>(*uptime) / 1000) : "?";
  }
  auto printer = text_of(event, "printer");
  if (printer.empty()) printer = text_of(event, "agent");
  return {{time, Tone::dim},
          {or_unknown(severity), tone},
          {printer.empty() ? "-" : printer, Tone::strong},
          {or_unknown(text_of(event, "kind"))},
          {text_of(event, "text"), tone}};
}

std::vector<int> event_widths() { return {24, 7, 12, 10}; }

}  // namespace firebreak::cli
