#include "agent/uplink/printers/printer_settings.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "common/identity/private_file.h"

namespace firebreak::uplink {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::size_t key_bytes_max = 256;

Result<std::string> read_key(const fs::path& file) {
  auto read = identity::read_private_file(file.string(), key_bytes_max + 2);
  if (!read) return fail(ErrorCode::bad_input, read.error().message);
  if (identity::open_to_others(file.string())) {
    return fail(ErrorCode::bad_input,
                file.string() + " may be read by others: `chmod 600 " + file.string() + "`");
  }
  std::string key = std::move(*read);
  while (!key.empty() && (key.back() == '\n' || key.back() == '\r')) key.pop_back();
  const bool printable =
      std::all_of(key.begin(), key.end(), [](unsigned char c) { return c > 0x20 && c < 0x7f; });
  if (key.empty() || key.size() > key_bytes_max || !printable) {
    return fail(ErrorCode::bad_input,
                file.string() + " must hold one line of 1 to 256 printable characters");
  }
  return key;
}

Result<PrinterSettings> read_printer(const json& value, const fs::path& folder) {
  PrinterSettings printer;
  printer.name = value.at("name");
  printer.kind = value.at("kind");
  printer.address = value.at("address");
  while (printer.address.ends_with('/')) printer.address.pop_back();
  printer.user = value.value("user", "");
  printer.serial = value.value("serial", "");
  printer.public_key_pin = value.value("public_key_pin", "");
  printer.every = std::chrono::milliseconds{value.value("poll_ms", 1000)};
  if (value.contains("identity")) {
    printer.expected_uuid = value["identity"].value("uuid", "");
    printer.expected_machine = value["identity"].value("machine", "");
  }
  const bool url =
      printer.address.starts_with("http://") || printer.address.starts_with("https://");
  if (url == (printer.kind == "bambu")) {
    return fail(ErrorCode::bad_input,
                url ? "address must be a host name or an address, without http://"
                    : "address must begin with http:// or https://");
  }
  if (printer.kind == "bambu" && printer.serial.empty()) {
    return fail(ErrorCode::bad_input, "bambu needs `serial`, as it is printed on the machine");
  }
  if (!value.contains("key_file")) return printer;
  auto key = read_key((folder / value["key_file"].get<std::string>()).lexically_normal());
  if (!key) return fail(key.error());
  printer.key = std::move(*key);
  return printer;
}

/// An address in one way of writing: its host in small letters, without the port that goes unsaid.
std::string place_of(const std::string& address) {
  const auto scheme_end = address.find("://");
  const auto host = scheme_end == std::string::npos ? 0 : scheme_end + 3;
  const auto host_end = std::min(address.find('/', host), address.size());
  std::string place = address.substr(0, host_end);
  for (char& c : place) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  const std::string_view unsaid = place.starts_with("https:") ? ":443" : ":80";
  if (place.ends_with(unsaid)) place.resize(place.size() - unsaid.size());
  return place + address.substr(host_end);
}

}  // namespace

Result<std::vector<PrinterSettings>> read_printers(const json& configuration,
                                                   const fs::path& folder) {
  std::vector<PrinterSettings> printers;
  if (!configuration.contains("printers")) return printers;
  std::set<std::string> names, addresses;
  for (const auto& value : configuration["printers"]) {
    auto printer = read_printer(value, folder);
    const std::string name = value.at("name");
    if (!printer) return fail(printer.error().within("printer " + name));
    if (!names.insert(printer->name).second) {
      return fail(ErrorCode::bad_input, "printer " + name + " is there twice");
    }
    if (!addresses.insert(place_of(printer->address)).second) {
      return fail(ErrorCode::bad_input,
                  "printer " + name + ": another printer has the address " + printer->address);
    }
    printers.push_back(std::move(*printer));
  }
  return printers;
}

}  // namespace firebreak::uplink
