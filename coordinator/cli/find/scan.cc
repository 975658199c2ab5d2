#include "coordinator/cli/find/scan.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "agent/uplink/discovery/known_printers.h"
#include "agent/uplink/discovery/scan.h"
#include "coordinator/cli/api.h"
#include "coordinator/cli/find/host_view.h"
#include "coordinator/cli/guard_client.h"
#include "coordinator/cli/inquiry.h"
#include "coordinator/cli/json_access.h"

namespace firebreak::cli {
namespace {

using nlohmann::json;

/// One agent's part: its answer, or why there is none.
struct Part {
  std::string agent;
  std::string inquiry;
  json answer;
  std::string problem;
};

Tone tone_of(const std::string& standing) {
  if (standing == "missing") return Tone::alarm;
  if (standing == "known") return Tone::dim;
  return standing == "moved" ? Tone::warning : Tone::good;
}

std::string or_dash(std::string text) { return text.empty() ? "-" : text; }

void show(Context& context, const json& findings, const json& problems, bool lines) {
  if (context.console.json()) {
    json document = {{"findings", findings}, {"problems", problems}};
    if (lines) document["configuration"] = configuration_lines(findings);
    return context.console.document(document);
  }
  Table table;
  table.header = {"STANDING", "AGENT", "KIND",   "ADDRESS", "PRINTER",
                  "NAME",     "SURE",  "CLAIMS", "NOTE"};
  for (const auto& finding : findings) {
    const auto text = [&](const char* name) { return Cell{or_dash(text_of(finding, name))}; };
    const auto standing = text_of(finding, "standing");
    table.rows.push_back({{standing, tone_of(standing)},
                          text("agent"),
                          text("kind"),
                          text("address"),
                          text("printer"),
                          text("name"),
                          text("sure"),
                          text("claims"),
                          text("note")});
  }
  context.console.table(table, "nothing was found, and nothing is configured");
  for (const auto& problem : problems)
    context.console.note(problem.get<std::string>(), Tone::warning);
  if (!lines) return;
  const auto text = configuration_lines(findings);
  if (text.empty()) return context.console.note("there is nothing new to configure");
  context.console.note(
      "The coordinator keeps no printers that no guard has: write these lines on the agent's host, "
      "choose names and profiles, then restart firebreak-guard and firebreak-uplink.");
  context.console.data(text);
}

Outcome<std::vector<Part>> ask_agents(Api& api, const ScanRequest& request) {
  const auto agents = api.get("/api/v1/agents");
  if (!agents) return give_up(agents.error());
  json body = json::object();
  if (!request.host.empty()) body["host"] = request.host;
  if (!request.range.empty()) body["range"] = request.range;
  std::vector<Part> parts;
  for (const auto& agent : agents->is_array() ? *agents : list_of(*agents, "agents")) {
    Part part{text_of(agent, "name"), {}, {}, {}};
    if (!request.agent.empty() && request.agent != part.agent) continue;
    if (flag_of(agent, "revoked") && request.agent.empty()) continue;
    const auto started = api.post("/api/v1/agents/" + url_part(part.agent) + "/scan", body);
    if (started)
      part.inquiry = text_of(*started, "inquiry");
    else
      part.problem = part.agent + ": " + started.error().message;
    parts.push_back(std::move(part));
  }
  if (parts.empty() && !request.agent.empty())
    return give_up(ExitStatus::not_found, "there is no agent '" + request.agent + "'",
                   "firebreak agents");
  return parts;
}

bool same_printer(const json& a, const json& b) {
  if (text_of(a, "kind") != text_of(b, "kind") || text_of(a, "kind") == "serial") return false;
  const auto identity = text_of(a, "identity");
  if (!identity.empty() && identity == text_of(b, "identity")) return true;
  return text_of(a, "address") == text_of(b, "address");
}

/// "My Printer (2)" as a name for guard.yaml.
std::string proposed_name(const json& finding, int number) {
  std::string name;
  for (const char c : text_of(finding, "name")) {
    const char low = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    const bool good = (low >= 'a' && low <= 'z') || (low >= '0' && low <= '9');
    if (good)
      name += low;
    else if (!name.empty() && name.back() != '-')
      name += '-';
    if (name.size() == 24) break;
  }
  while (name.ends_with('-')) name.pop_back();
  return name.empty() ? fmt::format("{}-{}", text_of(finding, "kind"), number) : name;
}

bool is_kind(const std::string& text) {
  return text == "serial" || text == "moonraker" || text == "octoprint" || text == "prusalink" ||
         text == "reprapfirmware" || text == "bambu";
}

/// A YAML double-quoted text: what others wrote cannot leave its place.
std::string quoted(const std::string& text) { return json(text).dump(); }

}  // namespace

json join_findings(std::vector<json> findings) {
  // What the agents told, while `findings` changes.
  const std::vector<json> told = findings;
  for (auto& finding : findings) {
    for (const auto& other : told) {
      const bool elsewhere = text_of(other, "agent") != text_of(finding, "agent");
      if (!elsewhere || text_of(other, "standing") != "known" || !same_printer(finding, other))
        continue;
      const auto owner = text_of(other, "agent") + ":" + text_of(other, "printer");
      const bool own = text_of(finding, "printer").find(':') == std::string::npos;
      if (text_of(finding, "standing") == "new") {
        finding["standing"] = "known";
        finding["printer"] = owner;
      } else if (text_of(finding, "standing") == "known" && own) {
        finding["note"] = "CLAIMED TWICE: " + owner + " is the same printer; keep one";
      }
    }
  }
  return json(std::move(findings));
}

std::string configuration_lines(const json& findings) {
  std::map<std::string, std::pair<std::string, std::string>> files;
  int number = 0;
  for (const auto& finding : findings) {
    if (text_of(finding, "standing") != "new") continue;
    const auto name = proposed_name(finding, ++number);
    const auto kind = text_of(finding, "kind");
    if (!is_kind(kind)) continue;
    const auto address = quoted(text_of(finding, "address"));
    auto& [guard, uplink] = files[text_of(finding, "agent")];
    if (kind == "serial") {
      guard += fmt::format("  - {{ name: {}, profile: generic-marlin, port: {}, baud: 115200 }}\n",
                           name, address);
      continue;
    }
    guard += fmt::format("  - {{ name: {}, profile: generic-marlin, network: {} }}\n", name, kind);
    const auto serial = quoted(text_of(finding, "identity"));
    uplink += fmt::format("  - {{ name: {}, kind: {}, address: {}, key_file: {}.key{} }}\n", name,
                          kind, address, name, kind == "bambu" ? ", serial: " + serial : "");
  }
  std::string text;
  for (const auto& [agent, parts] : files) {
    const auto host = agent.empty() ? "" : " of " + agent;
    text += "# guard.yaml" + host + ", below printers:\n" + parts.first;
    if (!parts.second.empty())
      text += "# uplink.yaml" + host + ", below printers:\n" + parts.second;
  }
  return text;
}

Done fleet_scan(Context& context, const ScanRequest& request) {
  if (!request.probe.empty())
    return give_up(ExitStatus::usage, "a serial port is opened at its host only",
                   "there: firebreak local scan --probe " + request.probe);
  auto api = Api::open(context);
  if (!api) return give_up(api.error());
  auto parts = ask_agents(*api, request);
  if (!parts) return give_up(parts.error());
  std::vector<json> findings;
  json problems = json::array();
  std::size_t answered = 0;
  for (Part& part : *parts) {
    const auto show_wait = [&](std::chrono::seconds waited) {
      context.console.progress(fmt::format("{} scans ({} s)", part.agent, waited.count()));
    };
    if (!part.inquiry.empty()) {
      auto answer = await_inquiry(*api, part.inquiry, show_wait);
      if (!answer) part.problem = answer.error().message;
      if (answer) part.answer = std::move(*answer);
    }
    if (!part.problem.empty()) problems.push_back(part.problem);
    answered += part.problem.empty() ? 1 : 0;
    for (json finding : list_of(part.answer, "findings")) {
      if (!finding.is_object()) continue;
      finding["agent"] = part.agent;
      findings.push_back(std::move(finding));
    }
    for (const auto& problem : list_of(part.answer, "problems"))
      if (problem.is_string()) problems.push_back(part.agent + ": " + problem.get<std::string>());
  }
  context.console.progress("");
  show(context, join_findings(std::move(findings)), problems, request.lines);
  if (parts->empty() || answered == parts->size()) return ExitStatus::done;
  return answered == 0 ? ExitStatus::failed : ExitStatus::partly;
}

Done local_scan(Context& context, const ScanRequest& request) {
  if (!request.probe.empty()) return probe_port(context, request.probe, request.yes);
  json arguments = json::object();
  if (!request.host.empty()) arguments["host"] = request.host;
  if (!request.range.empty()) arguments["range"] = request.range;
  const auto order = uplink::read_scan_order(arguments);
  if (!order)
    return give_up(ExitStatus::usage, order.error().message, "firebreak local scan --help");
  const auto view = view_of_this_host(context, request.uplink_config);
  context.console.progress("listening for 6 s");
  const uplink::Cancelled never{false};
  json answer = uplink::scan(*order, view.printers, never);
  context.console.progress("");
  if (!view.guard_problem.empty()) {
    answer["problems"].push_back("the guard does not answer, so nothing is known to be missing: " +
                                 view.guard_problem);
  }
  if (!view.settings_problem.empty()) answer["problems"].push_back(view.settings_problem);
  show(context, answer["findings"], answer["problems"], request.lines);
  return ExitStatus::done;
}

}  // namespace firebreak::cli
