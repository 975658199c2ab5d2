#include "agent/uplink/discovery/compare.h"

#include <algorithm>
#include <cctype>

namespace firebreak::uplink {
namespace {

bool has_identity(const KnownPrinter& printer, const std::string& identity) {
  return !identity.empty() && std::find(printer.identities.begin(), printer.identities.end(),
                                        identity) != printer.identities.end();
}

bool is_at(const KnownPrinter& printer, const Finding& finding) {
  const auto found = normal_address(finding.address);
  return found == normal_address(printer.address) ||
         (!printer.place.empty() &&
          (found == normal_address(printer.place) || finding.device == printer.place));
}

/// What the guard's connection says of a printer that the scan itself has not come across.
Finding of_the_guard(const KnownPrinter& printer) {
  Finding finding;
  finding.kind = printer.kind;
  finding.address = printer.address;
  finding.printer = printer.name;
  const bool lost = printer.link == "absent" || printer.link == "wrong_printer";
  finding.standing = lost ? Standing::missing : Standing::known;
  finding.sureness = lost ? Sureness::announced : Sureness::answered;
  finding.note = lost ? "next: firebreak diagnose --printer " + printer.name
                      : "answers the guard: " + printer.link;
  return finding;
}

void set_moved(Finding& finding, const KnownPrinter& printer) {
  finding.standing = Standing::moved;
  finding.printer = printer.name;
  finding.note = "configured at " + printer.address;
  if (finding.sureness == Sureness::announced)
    finding.note += "; only announced: look at the machine before you change it";
}

void judge(Finding& finding, const std::vector<KnownPrinter>& known) {
  const KnownPrinter* neighbour = nullptr;
  for (const KnownPrinter& printer : known) {
    if (printer.kind != finding.kind) continue;
    const bool here = is_at(printer, finding);
    if (has_identity(printer, finding.identity)) {
      if (!here) return set_moved(finding, printer);
      finding.standing = Standing::known;
      finding.printer = printer.name;
      return;
    }
    if (here) neighbour = &printer;
  }
  if (neighbour == nullptr) return;
  if (finding.identity.empty() || neighbour->identities.empty()) {
    finding.standing = Standing::known;
    finding.printer = neighbour->name;
    return;
  }
  finding.note = "another one at the address of " + neighbour->name;
}

/// The surest of each kind and address; in the order in which they came.
std::vector<Finding> merged(std::vector<Finding> found) {
  std::vector<Finding> out;
  for (Finding& finding : found) {
    const auto same = std::find_if(out.begin(), out.end(), [&](const Finding& one) {
      return one.kind == finding.kind &&
             normal_address(one.address) == normal_address(finding.address) &&
             (one.identity.empty() || finding.identity.empty() || one.identity == finding.identity);
    });
    if (same == out.end()) {
      out.push_back(std::move(finding));
      continue;
    }
    if (same->identity.empty()) same->identity = finding.identity;
    if (same->name.empty()) same->name = finding.name;
    if (finding.sureness > same->sureness) {
      same->sureness = finding.sureness;
      same->claims = finding.claims;
    }
  }
  return out;
}

}  // namespace

std::string normal_address(std::string address) {
  const bool url = address.find("://") != std::string::npos;
  // Names of hosts know no upper and lower case; names of files do.
  if (!address.starts_with('/')) {
    std::transform(address.begin(), address.end(), address.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  }
  while (url && address.ends_with('/')) address.pop_back();
  if (address.starts_with("http://") && address.ends_with(":80"))
    address.resize(address.size() - 3);
  return address;
}

std::vector<Finding> compare(std::vector<Finding> found, const std::vector<KnownPrinter>& known) {
  found = merged(std::move(found));
  for (Finding& finding : found) judge(finding, known);
  for (const KnownPrinter& printer : known) {
    const bool seen = std::any_of(found.begin(), found.end(), [&](const Finding& finding) {
      return finding.printer == printer.name;
    });
    if (seen || printer.link.empty()) continue;
    found.push_back(of_the_guard(printer));
    if (found.back().standing != Standing::missing) continue;
    for (Finding& finding : found) {
      if (finding.kind == printer.kind && finding.standing == Standing::fresh &&
          finding.note.empty())
        finding.note = "may be " + printer.name + ", which is missing; its identity decides";
    }
  }
  return found;
}

}  // namespace firebreak::uplink
