#include "agent/uplink/discovery/known_printers.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "agent/uplink/discovery/host_range.h"
#include "agent/uplink/guard_answer.h"

namespace firebreak::uplink {
namespace {

using nlohmann::json;

const json& object_in(const json& object, const char* name) {
  static const json none = json::object();
  const auto found = object.find(name);
  return found != object.end() && found->is_object() ? *found : none;
}

void add_identity(KnownPrinter& printer, const std::string& identity) {
  if (!identity.empty()) printer.identities.push_back(identity);
}

KnownPrinter of_status(const json& told) {
  KnownPrinter printer;
  printer.name = text_of(told, "name");
  const json& link = object_in(told, "link");
  printer.kind = text_of(link, "kind");
  printer.link = text_of(link, "state");
  printer.why = text_of(link, "why");
  printer.address = text_of(link, "port");
  add_identity(printer, text_of(object_in(told, "identity"), "uuid"));
  const auto printing = told.find("printing");
  printer.printing = printing != told.end() && *printing == true;
  return printer;
}

}  // namespace

std::vector<KnownPrinter> known_printers(const json& status,
                                         const std::vector<PrinterSettings>& settings) {
  std::vector<KnownPrinter> out;
  const json none = json::array();
  const bool told = status.is_object() && status.contains("printers");
  const json& list = told && status["printers"].is_array() ? status["printers"] : none;
  for (const json& one : list) {
    if (one.is_object()) out.push_back(of_status(one));
  }
  for (const PrinterSettings& set : settings) {
    auto printer = std::find_if(out.begin(), out.end(),
                                [&](const KnownPrinter& one) { return one.name == set.name; });
    if (printer == out.end()) printer = out.emplace(out.end());
    printer->name = set.name;
    printer->kind = set.kind;
    printer->address = set.address;
    add_identity(*printer, set.serial);
    add_identity(*printer, set.expected_uuid);
  }
  return out;
}

void find_places(std::vector<KnownPrinter>& printers) {
  for (KnownPrinter& printer : printers) {
    if (printer.address.starts_with('/')) {
      std::error_code error;
      const auto device = std::filesystem::canonical(printer.address, error);
      if (!error) printer.place = device;
      continue;
    }
    const auto at = host_of_address(printer.address, 0);
    const auto address = resolve(at.host);
    if (!address) continue;
    const auto host = printer.address.find(at.host);
    printer.place = printer.address;
    printer.place.replace(host, at.host.size(), *address);
  }
}

}  // namespace firebreak::uplink
