#include "agent/uplink/discovery/scan.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <future>
#include <nlohmann/json.hpp>

#include "agent/guard/links/port_discovery.h"
#include "agent/uplink/discovery/compare.h"
#include "agent/uplink/discovery/http_probe.h"
#include "agent/uplink/discovery/known_printers.h"
#include "agent/uplink/discovery/mdns.h"
#include "agent/uplink/discovery/ssdp_listener.h"
#include "agent/uplink/guard_answer.h"

namespace firebreak::uplink {
namespace {

using nlohmann::json;

/// Printers repeat their announcement every 5 s.
constexpr std::chrono::seconds ssdp_time{6};
constexpr std::chrono::seconds mdns_time{4};
constexpr std::chrono::seconds probe_time{45};

/// USB devices alone: a board's own UARTs are always there and say nothing of a printer.
std::vector<Finding> plugged_in() {
  std::vector<Finding> found;
  for (const auto& port : guard::list_ports()) {
    if (port.usb_vendor == 0) continue;
    Finding finding;
    finding.kind = "serial";
    finding.device = port.device;
    finding.address = port.by_path.empty() ? port.device : port.by_path;
    finding.name = port.description;
    finding.claims = fmt::format("USB {:04x}:{:04x}", port.usb_vendor, port.usb_product);
    finding.identity = port.usb_serial;
    finding.sureness = Sureness::plugged;
    found.push_back(std::move(finding));
  }
  return found;
}

template <class Part>
void gather(Part part, std::string_view name, std::vector<Finding>& found, json& problems) {
  const Result<std::vector<Finding>> got = part.get();
  if (!got) return problems.push_back(std::string(name) + ": " + got.error().message);
  found.insert(found.end(), got->begin(), got->end());
}

void probe(const ScanOrder& order, const std::vector<KnownPrinter>& known,
           const Cancelled& cancelled, std::vector<Finding>& found, json& problems) {
  std::vector<HostAndPort> hosts;
  for (const auto& host : order.hosts) {
    const auto url = normal_address("http://" + host.host +
                                    (host.port == 0 ? "" : ":" + std::to_string(host.port)));
    // Who is polled already is not asked more often than its kind bears.
    const bool configured = std::any_of(known.begin(), known.end(), [&](const auto& printer) {
      const auto is_url = [&](const std::string& address) {
        const auto normal = normal_address(address);
        return normal == url || (host.port == 0 && normal.starts_with(url + ":"));
      };
      return is_url(printer.address) || is_url(printer.place);
    });
    if (!configured) hosts.push_back(host);
  }
  if (hosts.empty()) return;
  auto round = probe_hosts(hosts, probe_time, cancelled);
  found.insert(found.end(), round.found.begin(), round.found.end());
  if (round.not_reached > 0) {
    problems.push_back(fmt::format(
        "{} hosts were not asked, the time was over: name a smaller range", round.not_reached));
  }
}

}  // namespace

Result<ScanOrder> read_scan_order(const json& arguments) {
  ScanOrder order;
  if (const auto host = text_of(arguments, "host"); !host.empty()) {
    auto read = read_host(host);
    if (!read) return fail(read.error());
    order.hosts.push_back(std::move(*read));
  }
  if (const auto range = text_of(arguments, "range"); !range.empty()) {
    auto hosts = hosts_of_range(range);
    if (!hosts) return fail(hosts.error());
    for (auto& host : *hosts) order.hosts.push_back({std::move(host), 0});
  }
  return order;
}

json scan(const ScanOrder& order, std::vector<KnownPrinter> known, const Cancelled& cancelled) {
  json problems = json::array();
  auto mdns = std::async(std::launch::async, [&] { return browse_mdns(mdns_time, cancelled); });
  auto ssdp =
      std::async(std::launch::async, [&] { return listen_for_bambu(ssdp_time, cancelled); });
  std::vector<Finding> found = plugged_in();
  find_places(known);
  probe(order, known, cancelled, found, problems);
  gather(std::move(mdns), "mDNS", found, problems);
  gather(std::move(ssdp), "Bambu's announcements", found, problems);
  found = compare(std::move(found), known);
  if (found.size() > findings_max) {
    problems.push_back(
        fmt::format("{} more were found; scan a smaller range", found.size() - findings_max));
    found.resize(findings_max);
  }
  json findings = json::array();
  for (const Finding& finding : found) findings.push_back(to_json(finding));
  return {{"findings", std::move(findings)}, {"problems", std::move(problems)}};
}

}  // namespace firebreak::uplink
